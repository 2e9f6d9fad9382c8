//! What systemd hears of the daemon.

use std::os::unix::net::UnixDatagram;

use super::home::{Home, PATIENCE};

fn next(manager: &UnixDatagram) -> String {
    let mut buffer = [0; 1_024];
    let length = manager.recv(&mut buffer).unwrap();
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

/// The next message that is no sign of life, and how many signs of life came before it.
fn next_but_life(manager: &UnixDatagram) -> (usize, String) {
    let mut lives = 0;
    loop {
        match next(manager).trim_end() {
            "WATCHDOG=1" => lives += 1,
            other => return (lives, other.to_owned()),
        }
    }
}

#[test]
fn the_service_manager_hears_that_it_is_ready_lives_and_stops() {
    let mut home = Home::new();
    let socket = home.path("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    home.set("NOTIFY_SOCKET", socket.to_str().unwrap());
    home.set("WATCHDOG_USEC", "20000");
    let daemon = home.serve();
    let (_, ready) = next_but_life(&manager);
    assert!(
        ready.starts_with("READY=1\nSTATUS=webhooks on 127.0.0.1:"),
        "{ready}"
    );
    for _ in 0..3 {
        assert_eq!(next(&manager).trim_end(), "WATCHDOG=1");
    }
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(next_but_life(&manager).1, "STOPPING=1");
}

#[test]
fn a_manager_that_cannot_be_told_keeps_nobody_from_serving() {
    let mut home = Home::new();
    let nowhere = home.path("nowhere");
    home.set("NOTIFY_SOCKET", nowhere.to_str().unwrap());
    let daemon = home.serve();
    let line = daemon.wait_for_line("the service manager cannot be told (NOTIFY_SOCKET)");
    assert_eq!(line["level"], "WARN");
    assert_eq!(daemon.stop(), Some(0));
}
