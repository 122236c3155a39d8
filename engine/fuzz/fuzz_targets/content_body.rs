//! libFuzzer drives `content_body`.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| arboretum_fuzz::run("content_body", input));
