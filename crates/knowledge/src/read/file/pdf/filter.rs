//! Packed bytes of a PDF to plain ones. It must not know what they mean. Invariant: no more bytes come out than the
//! caller allows, whatever filters stand behind each other.

use super::syntax::Dict;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};

/// Unpacks one layer; `None` if it is of a kind that holds no text, or nothing of it could be unpacked.
pub(super) fn unpack(name: &str, params: Option<&Dict>, bytes: &[u8], most: usize) -> Option<Vec<u8>> {
    let out = match name {
        "FlateDecode" | "Fl" => inflated(bytes, most),
        "LZWDecode" | "LZW" => {
            let early = params.and_then(|params| params.get("EarlyChange")?.number()).unwrap_or(1.0);
            lzw(bytes, early != 0.0, most)
        }
        "ASCIIHexDecode" | "AHx" => hex(bytes, most),
        "ASCII85Decode" | "A85" => ascii85(bytes, most),
        "RunLengthDecode" | "RL" => runs(bytes, most),
        _ => return None,
    };
    let number = |key: &str, usual: f64| params.and_then(|params| params.get(key)?.number()).unwrap_or(usual);
    if number("Predictor", 1.0) < 10.0 {
        return Some(out);
    }
    let pixel_bits =
        number("Colors", 1.0).clamp(1.0, 32.0) * number("BitsPerComponent", 8.0).clamp(1.0, 16.0);
    let row_bits = pixel_bits * number("Columns", 1.0).clamp(1.0, 1_000_000.0);
    Some(unpredicted(&out, (row_bits / 8.0).ceil() as usize, (pixel_bits / 8.0).ceil() as usize))
}

/// What could be inflated, though the end be missing; a zlib header is usual, and sometimes absent.
fn inflated(bytes: &[u8], most: usize) -> Vec<u8> {
    use inflate_flags::{TINFL_FLAG_IGNORE_ADLER32, TINFL_FLAG_PARSE_ZLIB_HEADER};
    let packed = inflated_as(bytes, TINFL_FLAG_PARSE_ZLIB_HEADER | TINFL_FLAG_IGNORE_ADLER32, most);
    if packed.is_empty() { inflated_as(bytes, 0, most) } else { packed }
}

/// A loop of our own, since the library's does not tell how much of its buffer it filled before a fault.
fn inflated_as(bytes: &[u8], flags: u32, most: usize) -> Vec<u8> {
    let flags = flags | inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let mut state = Box::<DecompressorOxide>::default();
    let mut out = vec![0; bytes.len().saturating_mul(3).clamp(1, most.max(1))];
    let (mut read, mut written) = (0, 0);
    loop {
        let (status, taken, given) = decompress(&mut state, &bytes[read..], &mut out, written, flags);
        read = (read + taken).min(bytes.len());
        written += given;
        if status != TINFLStatus::HasMoreOutput || out.len() >= most {
            out.truncate(written.min(most));
            return out;
        }
        out.resize(out.len().saturating_mul(2).min(most), 0);
    }
}

/// Rows as differences to what is left of and above them, the way of PNG.
fn unpredicted(bytes: &[u8], row: usize, pixel: usize) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(bytes.len());
    for coded in bytes.chunks(row + 1) {
        let Some((kind, coded)) = coded.split_first() else { break };
        let start = out.len();
        for (at, byte) in coded.iter().enumerate() {
            let left = if at >= pixel { i32::from(out[start + at - pixel]) } else { 0 };
            let above = if start >= row { i32::from(out[start + at - row]) } else { 0 };
            let corner =
                if at >= pixel && start >= row { i32::from(out[start + at - row - pixel]) } else { 0 };
            let guess = match kind {
                1 => left,
                2 => above,
                3 => (left + above) / 2,
                4 => nearest(left, above, corner),
                _ => 0,
            };
            out.push(byte.wrapping_add(guess as u8));
        }
    }
    out
}

fn nearest(left: i32, above: i32, corner: i32) -> i32 {
    let guess = left + above - corner;
    let (a, b, c) = ((guess - left).abs(), (guess - above).abs(), (guess - corner).abs());
    if a <= b && a <= c {
        left
    } else if b <= c {
        above
    } else {
        corner
    }
}

fn lzw(bytes: &[u8], early: bool, most: usize) -> Vec<u8> {
    const CLEAR: usize = 256;
    const END: usize = 257;
    let mut out = Vec::new();
    // Each entry is a piece of what was written: where it begins, and how long it is.
    let mut entries: Vec<(usize, usize)> = Vec::new();
    let (mut held, mut bits, mut width) = (0u32, 0, 9);
    let mut before: Option<(usize, usize)> = None;
    for byte in bytes {
        held = held << 8 | u32::from(*byte);
        bits += 8;
        if bits < width {
            continue;
        }
        bits -= width;
        let code = (held >> bits) as usize & ((1 << width) - 1);
        match code {
            END => break,
            CLEAR => {
                entries.clear();
                before = None;
            }
            code => {
                let start = out.len();
                let entry = entries.get(code.wrapping_sub(END + 1)).copied();
                match (code, entry, before) {
                    (0..CLEAR, ..) => out.push(code as u8),
                    (_, Some((from, length)), _) => out.extend_from_within(from..from + length),
                    (_, None, Some((from, length))) => {
                        out.extend_from_within(from..from + length);
                        out.extend_from_within(from..=from);
                    }
                    _ => break,
                }
                // An entry is the piece before and the first byte of this one, which stands right behind it.
                if let Some((from, length)) = before.filter(|_| entries.len() < 4096 - END - 1) {
                    entries.push((from, length + 1));
                }
                before = Some((start, out.len() - start));
            }
        }
        width = match entries.len() + END + 1 + usize::from(early) {
            0..512 => 9,
            512..1024 => 10,
            1024..2048 => 11,
            _ => 12,
        };
        if out.len() >= most {
            break;
        }
    }
    out.truncate(most);
    out
}

fn hex(bytes: &[u8], most: usize) -> Vec<u8> {
    let end = memchr::memchr(b'>', bytes).unwrap_or(bytes.len());
    let digits: Vec<u8> = bytes[..end]
        .iter()
        .filter_map(|byte| char::from(*byte).to_digit(16))
        .map(|digit| digit as u8)
        .collect();
    digits.chunks(2).take(most).map(|pair| pair[0] << 4 | pair.get(1).copied().unwrap_or(0)).collect()
}

fn ascii85(bytes: &[u8], most: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut group: Vec<u32> = Vec::with_capacity(5);
    let bytes = bytes.strip_prefix(b"<~").unwrap_or(bytes);
    for byte in bytes {
        match byte {
            b'~' => break,
            b'z' if group.is_empty() => out.extend([0; 4]),
            b'!'..=b'u' => group.push(u32::from(byte - b'!')),
            _ => {}
        }
        if group.len() == 5 {
            let number =
                group.drain(..).fold(0u32, |number, digit| number.wrapping_mul(85).wrapping_add(digit));
            out.extend(number.to_be_bytes());
        }
        if out.len() >= most {
            break;
        }
    }
    if group.len() > 1 {
        let given = group.len() - 1;
        group.resize(5, 84);
        let number = group.iter().fold(0u32, |number, digit| number.wrapping_mul(85).wrapping_add(*digit));
        out.extend(&number.to_be_bytes()[..given]);
    }
    out.truncate(most);
    out
}

fn runs(bytes: &[u8], most: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some((length, after)) = rest.split_first() {
        let length = usize::from(*length);
        match (length, after.split_first()) {
            (128, _) | (129.., None) => break,
            (129.., Some((byte, after))) => {
                out.resize(out.len() + 257 - length, *byte);
                rest = after;
            }
            (..=127, _) => {
                let (plain, after) = after.split_at(after.len().min(length + 1));
                out.extend(plain);
                rest = after;
            }
        }
        if out.len() >= most {
            break;
        }
    }
    out.truncate(most);
    out
}

#[cfg(test)]
mod tests {
    use super::super::syntax::Value;
    use super::*;

    #[test]
    fn every_layer_unpacks_what_others_packed() {
        let plain = |name, bytes: &[u8]| unpack(name, None, bytes, 1000).unwrap();
        assert_eq!(plain("ASCIIHexDecode", b"48 65 6c6C 6f>rest"), b"Hello");
        assert_eq!(plain("ASCII85Decode", b"87cURD]i,\"Ebo80~>"), b"Hello World!");
        assert_eq!(plain("RunLengthDecode", &[2, b'a', b'b', b'c', 254, b'x', 128, 9]), b"abcxxx");
        let lzw = [0x80, 0x0b, 0x60, 0x50, 0x22, 0x0c, 0x0c, 0x85, 0x01];
        assert_eq!(plain("LZWDecode", &lzw), b"-----A---B");
        let packed = miniz_oxide::deflate::compress_to_vec_zlib(b"Hello", 6);
        assert_eq!(plain("FlateDecode", &packed), b"Hello");
        assert_eq!(plain("FlateDecode", &packed[2..]), b"Hello");
        let long: Vec<u8> = (0..999u32).flat_map(|n| (n * n).to_le_bytes()).collect();
        let packed = miniz_oxide::deflate::compress_to_vec_zlib(&long, 6);
        let cut = unpack("FlateDecode", None, &packed[..packed.len() / 2], 9000).unwrap();
        assert!(cut.len() > 500 && long.starts_with(&cut));
    }

    #[test]
    fn what_a_bomb_holds_is_cut_at_the_bound() {
        let bomb = miniz_oxide::deflate::compress_to_vec_zlib(&vec![b'x'; 1 << 20], 6);
        assert_eq!(unpack("FlateDecode", None, &bomb, 1000).unwrap().len(), 1000);
        assert_eq!(unpack("RunLengthDecode", None, &[129, b'x'].repeat(999), 1000).unwrap().len(), 1000);
    }

    #[test]
    fn rows_of_differences_are_summed() {
        let params = Dict::from([
            ("Predictor".to_owned(), Value::Number(12.0)),
            ("Columns".to_owned(), Value::Number(3.0)),
        ]);
        assert_eq!(unpredicted(&[2, 1, 2, 3, 2, 1, 1, 1, 1, 5, 5, 5], 3, 1), [1, 2, 3, 2, 3, 4, 5, 10, 15]);
        assert_eq!(unpack("RunLengthDecode", Some(&params), &[3, 0, 7, 8, 9], 99).unwrap(), [7, 8, 9]);
    }
}
