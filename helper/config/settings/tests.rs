use super::*;

#[test]
fn durations_are_those_of_go() {
    for text in ["30s", "1m30s", "500ms", "1h", "10µs"] {
        assert!(Timeout::parse(text).is_ok(), "{text}");
    }
    for text in ["", "30", "s", "0s", "-1s", "1.5s", "30 s", "9999999999s", "30s "] {
        assert!(Timeout::parse(text).is_err(), "{text}");
    }
}

#[test]
fn ranges_are_ipv4() {
    for text in ["10.0.0.0/8", "10.1.2.3", "0.0.0.0/0"] {
        assert!(AllowedIp::parse(text).is_ok(), "{text}");
    }
    for text in ["", "10.0.0.0/33", "10.0.0/8", "fd00::/8", "10.0.0.0/8 ", "any"] {
        assert!(AllowedIp::parse(text).is_err(), "{text}");
    }
}

#[test]
fn given_ranges_replace_the_private_ones() {
    let private = Ipv4Addr::new(10, 0, 0, 1);
    assert!(may_dial(private, None));
    assert!(!may_dial(Ipv4Addr::new(100, 64, 0, 1), None));
    assert!(!may_dial(private, Some(&["192.168.0.0/16".into()])));
    assert!(may_dial(private, Some(&["10.0.0.1".into()])));
}
