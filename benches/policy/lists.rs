//! Looking addresses up in a list of a million, and what such a list takes.

use std::hint::black_box;
use std::sync::Arc;

use bookgate::domain::owner::Owner;
use bookgate::policy::PolicySet;
use bookgate::policy::lists::List;

use crate::figures::{Table, median, short};
use crate::{MEMORY, Scale, file, policies, processor_ns, ratio};

const SMALL: usize = 10;
const LARGE: usize = 1_000_000;
/// How many different addresses are looked up, half of them listed.
const ASKED: usize = 4_096;

const POLICY: &str = r#"
schema = 1
[policy]
id = "listed"
[[criterion]]
id = "blocked"
kind = "deny-list"
list = { file = "list.txt" }
on = ["email"]
"#;

/// A list, and what it took to have it.
struct Made {
    list: Arc<List>,
    _set: PolicySet,
    bytes: usize,
    seconds: f64,
}

pub(crate) fn run(scale: &Scale) {
    let (small, large) = (make(SMALL), make(LARGE));
    let (in_small, in_large) = (asked(SMALL), asked(LARGE));
    let [small_ns, large_ns] = scale.ns([&mut || look_up(&small.list, &in_small), &mut || {
        look_up(&large.list, &in_large)
    }]);
    let each = |times: &[f64]| median(times.iter().map(|ns| ns / ASKED as f64));
    let mut table = Table::new([
        "addresses",
        "ns for one",
        "of 10",
        "bytes for each",
        "s to load",
    ]);
    for (count, made, times) in [(SMALL, &small, &small_ns), (LARGE, &large, &large_ns)] {
        table.row([
            count.to_string(),
            short(each(times)),
            short(ratio(times, &small_ns)),
            short(made.bytes as f64 / count as f64),
            short(made.seconds),
        ]);
    }
    let more = each(&large_ns) - each(&small_ns);
    table.print("Somebody looked up in a list; goals: less than 1000 ns more, less than 100 bytes");
    println!("\nin the long list: {} ns more", short(more));
}

/// Domains of different lengths, as they are.
fn address(number: usize) -> String {
    // Neighbours in the file are not neighbours in memory.
    let mixed = (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    format!("person.{number}@company-{}.example", mixed % 50_000)
}

fn make(count: usize) -> Made {
    let text: String = (0..count).map(|number| address(number) + "\n").collect();
    let before = MEMORY.current_usage();
    let began_ns = processor_ns();
    let set = policies(vec![file("listed.toml", POLICY.to_owned())], &text);
    let seconds = (processor_ns() - began_ns) / 1e9;
    let bytes = MEMORY.current_usage() - before;
    let policy = set.policies().next().expect("the policy");
    let list = policy.lists.values().next().expect("its list");
    Made {
        list: Arc::clone(&list.list),
        bytes,
        seconds,
        _set: set,
    }
}

fn asked(count: usize) -> Vec<Owner> {
    let numbers = (0..ASKED).map(|number| {
        let listed = number * 7_919 % count;
        listed + count * (number % 2)
    });
    let addresses = numbers.map(|number| Owner::parse(&address(number)).expect("an address"));
    addresses.collect()
}

fn look_up(list: &List, asked: &[Owner]) {
    let listed = asked
        .iter()
        .filter(|owner| list.has_address(black_box(owner)));
    assert_eq!(listed.count(), ASKED / 2);
}
