//! Bad input, broken files, a full disk, a faulty docker: an answer, never a lost file, never a leaked secret.

mod bad_input;
mod broken_file;
mod canaries;
mod docker_faults;
mod full_disk;
mod limits;
