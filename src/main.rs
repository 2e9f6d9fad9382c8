//! The bookgate binary.
fn main() {}
