//! What a name server may answer: no panic, and only addresses that were asked for.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nsproxy_fuzz::dns::answer(data));
