//! libFuzzer drives `vector_length`.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| arboretum_fuzz::run("vector_length", input));
