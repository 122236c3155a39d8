//! libFuzzer drives `strategy`.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| arboretum_fuzz::run("strategy", input));
