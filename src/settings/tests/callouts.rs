//! Which servers policies may have asked: what an admin is told who writes it wrongly.

use expect_test::expect;

use super::{check, load};
use crate::settings::AddressBlock;

#[test]
fn nothing_may_be_called_unless_it_is_written() {
    let settings = load("", &[]).unwrap().callouts;
    assert!(settings.hosts.is_empty() && settings.allow_private.is_empty());
}

#[test]
fn hosts_are_kept_as_addresses_name_them() {
    let text = "[callouts]\nhosts = [\"CRM.Example.org\", \"*.büro.example\", \"10.1.0.7\", \"[FD00::1]\"]\n";
    let hosts = load(text, &[]).unwrap().callouts.hosts;
    let expected = [
        "crm.example.org",
        "*.xn--bro-hoa.example",
        "10.1.0.7",
        "[fd00::1]",
    ];
    assert_eq!(hosts, expected);
}

#[test]
fn a_host_is_only_a_host() {
    let text = "[callouts]\nhosts = [\"https://crm.example.org\", \"crm.example.org:443\", \"*\", \"a.*.example\", \"*.10.1.0.7\", \"\"]\n";
    check(
        text,
        &[],
        &expect![[r#"
        error: `callouts.hosts[0]` must be a host, such as "crm.example.org", or "*.corp.example" for all below one
         --> bookgate.toml:2:10
          |
        2 | hosts = ["https://crm.example.org", "crm.example.org:443", "*", "a.*.example", "*.10.1.0.7", ""]
          |          ^^^^^^^^^^^^^^^^^^^^^^^^^ only the host belongs here: no https://, no port and no path

        error: `callouts.hosts[1]` must be a host, such as "crm.example.org", or "*.corp.example" for all below one
         --> bookgate.toml:2:37
          |
        2 | hosts = ["https://crm.example.org", "crm.example.org:443", "*", "a.*.example", "*.10.1.0.7", ""]
          |                                     ^^^^^^^^^^^^^^^^^^^^^ only the host belongs here: no https://, no port and no path

        error: `callouts.hosts[2]` must be a host, such as "crm.example.org", or "*.corp.example" for all below one
         --> bookgate.toml:2:60
          |
        2 | hosts = ["https://crm.example.org", "crm.example.org:443", "*", "a.*.example", "*.10.1.0.7", ""]
          |                                                            ^^^ there is no word for all hosts: name them

        error: `callouts.hosts[3]` must be a host, such as "crm.example.org", or "*.corp.example" for all below one
         --> bookgate.toml:2:65
          |
        2 | hosts = ["https://crm.example.org", "crm.example.org:443", "*", "a.*.example", "*.10.1.0.7", ""]
          |                                                                 ^^^^^^^^^^^^^ a * may stand only at the beginning, before a point

        error: `callouts.hosts[4]` must be a host, such as "crm.example.org", or "*.corp.example" for all below one
         --> bookgate.toml:2:80
          |
        2 | hosts = ["https://crm.example.org", "crm.example.org:443", "*", "a.*.example", "*.10.1.0.7", ""]
          |                                                                                ^^^^^^^^^^^^ nothing is below an address

        error: `callouts.hosts[5]` must be a host, such as "crm.example.org", or "*.corp.example" for all below one
         --> bookgate.toml:2:94
          |
        2 | hosts = ["https://crm.example.org", "crm.example.org:443", "*", "a.*.example", "*.10.1.0.7", ""]
          |                                                                                              ^^ this is no host

        error: 6 problems in the settings"#]],
    );
}

#[test]
fn a_block_of_addresses_begins_where_it_says() {
    let text =
        "[callouts]\nallow_private = [\"10.1.0.0/16\", \"127.0.0.1\", \"::/0\", \"fd00::/8\"]\n";
    let blocks = load(text, &[]).unwrap().callouts.allow_private;
    let expected = [
        ("10.1.0.0", 16),
        ("127.0.0.1", 32),
        ("::", 0),
        ("fd00::", 8),
    ]
    .map(|(first, prefix_bits)| AddressBlock {
        first: first.parse().unwrap(),
        prefix_bits,
    });
    assert_eq!(blocks, expected);
    let text = "[callouts]\nallow_private = [\"10.1.2.3/16\", \"10.0.0.0/33\", \"fd12::/8\", \"crm.example.org\", \"::ffff:10.0.0.1\", \"10.0.0.0/\"]\n";
    check(
        text,
        &[],
        &expect![[r#"
        error: `callouts.allow_private[0]` must be an IP address or a block of them, such as "10.1.0.7" or "10.1.0.0/16"
         --> bookgate.toml:2:18
          |
        2 | allow_private = ["10.1.2.3/16", "10.0.0.0/33", "fd12::/8", "crm.example.org", "::ffff:10.0.0.1", "10.0.0.0/"]
          |                  ^^^^^^^^^^^^^ this block begins at 10.1.0.0

        error: `callouts.allow_private[1]` must be an IP address or a block of them, such as "10.1.0.7" or "10.1.0.0/16"
         --> bookgate.toml:2:33
          |
        2 | allow_private = ["10.1.2.3/16", "10.0.0.0/33", "fd12::/8", "crm.example.org", "::ffff:10.0.0.1", "10.0.0.0/"]
          |                                 ^^^^^^^^^^^^^ after the / stands 0 to 32

        error: `callouts.allow_private[2]` must be an IP address or a block of them, such as "10.1.0.7" or "10.1.0.0/16"
         --> bookgate.toml:2:48
          |
        2 | allow_private = ["10.1.2.3/16", "10.0.0.0/33", "fd12::/8", "crm.example.org", "::ffff:10.0.0.1", "10.0.0.0/"]
          |                                                ^^^^^^^^^^ this block begins at fd00::

        error: `callouts.allow_private[3]` must be an IP address or a block of them, such as "10.1.0.7" or "10.1.0.0/16"
         --> bookgate.toml:2:60
          |
        2 | allow_private = ["10.1.2.3/16", "10.0.0.0/33", "fd12::/8", "crm.example.org", "::ffff:10.0.0.1", "10.0.0.0/"]
          |                                                            ^^^^^^^^^^^^^^^^^ this is no IP address

        error: `callouts.allow_private[4]` must be an IP address or a block of them, such as "10.1.0.7" or "10.1.0.0/16"
         --> bookgate.toml:2:79
          |
        2 | allow_private = ["10.1.2.3/16", "10.0.0.0/33", "fd12::/8", "crm.example.org", "::ffff:10.0.0.1", "10.0.0.0/"]
          |                                                                               ^^^^^^^^^^^^^^^^^ write it as IPv4: 10.0.0.1

        error: `callouts.allow_private[5]` must be an IP address or a block of them, such as "10.1.0.7" or "10.1.0.0/16"
         --> bookgate.toml:2:98
          |
        2 | allow_private = ["10.1.2.3/16", "10.0.0.0/33", "fd12::/8", "crm.example.org", "::ffff:10.0.0.1", "10.0.0.0/"]
          |                                                                                                  ^^^^^^^^^^^ after the / stands 0 to 32

        error: 6 problems in the settings"#]],
    );
}
