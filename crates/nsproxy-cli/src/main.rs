//! nsproxy.
fn main() {}
