//! libFuzzer drives `framed_content`.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| arboretum_fuzz::run("framed_content", input));
