//! Links proxy-proto into a static library with a panic handler of its own.
//!
//! The standard library has one too, and two are an error: this builds only as long as nothing in the crate
//! brings the standard library in. There is no allocator either, so it holds for `alloc` as well.

#![no_std]

use core::panic::PanicInfo;

#[panic_handler]
fn halt(_: &PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

/// Parses a header and writes it again. Returns the length written, 0 for anything but a whole header.
#[unsafe(no_mangle)]
pub extern "C" fn copy_header(bytes: &[u8; 256], out: &mut [u8; 256]) -> usize {
    let Ok(parsed) = proxy_proto::parse(bytes) else { return 0 };
    let header = parsed.header;
    let written = match header.version() {
        proxy_proto::Version::V1 => proxy_proto::v1::encode(&header.addresses(), out),
        proxy_proto::Version::V2 => {
            proxy_proto::v2::Builder::new(out, header.command()).copy_tlvs(header.tlvs()).finish()
        }
    };
    written.unwrap_or(0)
}
