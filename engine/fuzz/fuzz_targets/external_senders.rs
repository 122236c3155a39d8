//! libFuzzer drives `external_senders`.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| arboretum_fuzz::run("external_senders", input));
