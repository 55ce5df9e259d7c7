//! The parts of a ZIP container in memory. It must not know what the parts mean. Invariant: however little is packed
//! into it, no more than `INFLATED_CAP_BYTES` are ever unpacked from one container.

use super::Unread;
use std::io::{Cursor, Read};
use zip::ZipArchive;
use zip::result::ZipError;

/// What all parts that are read may unpack to: the text of a DOCX of 20 MB is a few MB, with its markup some tens.
const INFLATED_CAP_BYTES: u64 = 64 << 20;
/// How far a part may expand: XML deflates 5 to 40 times, deflate itself ends at 1,032 times.
const RATIO_CAP: u64 = 250;
/// Expansion that is never looked at: small parts of a few repeated bytes may well exceed the ratio.
const RATIO_FROM_BYTES: u64 = 16 << 20;

/// A container, and what may still be unpacked from it.
pub(super) struct Archive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    left: u64,
}

impl<'a> Archive<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, Unread> {
        let zip = ZipArchive::new(Cursor::new(bytes)).map_err(|why| unread(&why))?;
        Ok(Self { zip, left: INFLATED_CAP_BYTES })
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.zip.index_for_name_raw(name.as_bytes()).is_some()
    }

    /// A part; `None` if there is none of that name.
    pub(super) fn part(&mut self, name: &str) -> Result<Option<Vec<u8>>, Unread> {
        let Some(index) = self.zip.index_for_name_raw(name.as_bytes()) else { return Ok(None) };
        let part = self.zip.by_index(index).map_err(|why| unread(&why))?;
        let honest = (part.compressed_size().saturating_mul(RATIO_CAP)).max(RATIO_FROM_BYTES);
        let cap = self.left.min(honest);
        let mut bytes = Vec::new();
        let read = part.take(cap + 1).read_to_end(&mut bytes);
        if bytes.len() as u64 > cap {
            return Err(Unread::Expands { cap_bytes: cap });
        }
        self.left -= bytes.len() as u64;
        read.map(|_| Some(bytes)).map_err(|_| Unread::Damaged("a part of it does not unpack"))
    }
}

fn unread(why: &ZipError) -> Unread {
    match why {
        ZipError::InvalidPassword | ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => {
            Unread::Encrypted
        }
        _ => Unread::Damaged("it does not unpack"),
    }
}
