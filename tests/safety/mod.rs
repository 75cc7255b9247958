//! Bad input, broken files, a full disk, a kill, a power cut, a faulty docker: an answer, never a lost file, never a
//! leaked secret.

mod bad_input;
mod broken_file;
mod cage;
mod campaign;
mod canaries;
mod crash;
mod docker_calls;
mod docker_faults;
#[cfg(target_os = "linux")]
mod exchanged;
mod full_disk;
mod limits;
mod odd_files;
mod surroundings;
mod together;
mod waits;
mod whose;
