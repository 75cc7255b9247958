//! Work of this process in the network of another one. Only root can.

/// Runs this on a thread in the network of a process: sockets that it makes stay there, and so do its own threads.
#[cfg(target_os = "linux")]
pub(crate) fn in_network_of<T: Send + 'static>(pid: u32, work: impl FnOnce() -> T + Send + 'static) -> T {
    use rustix::fd::AsFd;
    use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
    let network = std::fs::File::open(format!("/proc/{pid}/ns/net")).unwrap();
    let thread = std::thread::spawn(move || {
        move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
        work()
    });
    thread.join().unwrap()
}

/// Who asks has looked for the programs of Linux before.
#[cfg(not(target_os = "linux"))]
pub(crate) fn in_network_of<T: Send + 'static>(pid: u32, _work: impl FnOnce() -> T + Send + 'static) -> T {
    panic!("no process has a network of its own here, {pid} neither")
}
