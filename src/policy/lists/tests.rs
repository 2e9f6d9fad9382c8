//! What an entry of a list is.

use super::*;

#[test]
fn a_star_means_below_and_not_the_domain_itself() {
    let mut domains = Domains::default();
    assert!(domains.add("one.example") && domains.add("*.Zwei.Example"));
    for (domain, listed) in [
        ("one.example", true),
        ("a.one.example", false),
        ("zwei.example", false),
        ("a.zwei.example", true),
        ("b.a.zwei.example", true),
        ("example", false),
    ] {
        assert_eq!(domains.contains(domain), listed, "{domain}");
    }
    for wrong in [
        "",
        "example",
        "a b.example",
        "ada@example.org",
        "*",
        "*.*.example",
    ] {
        assert!(!domains.add(wrong), "{wrong}");
    }
}

#[test]
fn a_line_is_an_address_a_domain_a_number_or_a_name() {
    let mut list = List::default();
    for line in [
        "Ada@Example.org",
        "@a.example",
        "*.b.example",
        "Dr. Eva  Muster",
        "+44 20 7946 0000",
    ] {
        assert!(list.add_line(line), "{line}");
    }
    assert!(list.emails.contains("ada@example.org"));
    assert!(list.domains.contains("a.example") && list.domains.contains("x.b.example"));
    assert!(list.names.contains("dr. eva muster"));
    assert!(list.phones.contains("+442079460000"));
    assert!(!list.add_line("a@@b") && !list.add_line("+44 20 CALL"));
}
