//! A session under any list of operations: its count is right, what is closed stays so, and it comes to rest.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nsproxy_fuzz::session::operations(data));
