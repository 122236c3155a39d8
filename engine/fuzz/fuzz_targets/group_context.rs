//! libFuzzer drives `group_context`.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| arboretum_fuzz::run("group_context", input));
