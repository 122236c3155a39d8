//! libFuzzer drives `ratchet_tree`.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| arboretum_fuzz::run("ratchet_tree", input));
