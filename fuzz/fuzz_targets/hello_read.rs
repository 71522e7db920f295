//! A `ClientHello` in any pieces: no panic, and what is once known of it stays so.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nsproxy_fuzz::hello::read(data));
