//! Long listings in records of bounded size, and the fingerprint of a page. Must not know any kind of source.

use super::{Kind, Skipped, SourceError};
use knowledge::audience::{Group, Layer};
use knowledge::page::{Folder, PageRef, Person, RawPage, Space};
use knowledge::record::Listed;

/// Pages (and people, and layers) in one `Listed`: a record of about 200 kB, small enough to append often and
/// large enough that a wiki of 50,000 pages is 50 records.
pub(crate) const SLICE: usize = 1_000;

/// All a source knows beside its pages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Around {
    pub(crate) people: Vec<Person>,
    pub(crate) spaces: Vec<Space>,
    pub(crate) layers: Vec<Layer>,
    pub(crate) folders: Vec<Folder>,
    pub(crate) groups: Vec<Group>,
    pub(crate) skipped: Skipped,
}

/// The slice of a listing that `cursor` asks for; `page(i)` gives the page reference number `i`, when its
/// turn comes.
pub(crate) fn slice<P: Into<Option<PageRef>>>(
    cursor: Option<&str>,
    pages: usize,
    around: &Around,
    mut page: impl FnMut(usize) -> P,
) -> Result<Listed, SourceError> {
    let number: usize = match cursor {
        None => 0,
        Some(text) => text.parse().map_err(|_| {
            SourceError::new(
                Kind::Changed,
                format!("listing from cursor `{text}`: expected the number of a slice"),
            )
        })?,
    };
    let around_it = [around.people.len(), around.layers.len(), around.spaces.len(), around.folders.len()];
    let total = around_it.into_iter().fold(pages.max(around.groups.len()), usize::max);
    let from = number.saturating_mul(SLICE);
    let range = |length: usize| from.min(length)..from.saturating_add(SLICE).min(length);
    Ok(Listed {
        pages: range(pages).filter_map(|at| page(at).into()).collect(),
        people: around.people[range(around.people.len())].to_vec(),
        spaces: around.spaces[range(around.spaces.len())].to_vec(),
        layers: around.layers[range(around.layers.len())].to_vec(),
        folders: around.folders[range(around.folders.len())].to_vec(),
        groups: around.groups[range(around.groups.len())].to_vec(),
        skipped: if number == 0 { around.skipped.warnings() } else { Vec::new() },
        incomplete: around.skipped.is_incomplete(),
        next: (from.saturating_add(SLICE) < total).then(|| (number + 1).to_string()),
        ..Listed::default()
    })
}

/// The fingerprint of a page: everything in `page` (given without its body) and a hash of the body as the
/// source holds it. A change of either is a reason to fetch.
pub(crate) fn fingerprint(page: &RawPage, body: &[u8; 32]) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("highwater page fingerprint 1");
    let around = serde_json::to_vec(page).expect("a `RawPage` has only text keys and plain values");
    hasher.update(&(around.len() as u64).to_le_bytes()).update(&around).update(body);
    hasher.finalize().to_hex()[..32].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use knowledge::id::{PageId, SpaceKey};

    fn page(i: usize) -> PageRef {
        PageRef {
            id: PageId::new(i.to_string()),
            space: SpaceKey::new("S"),
            version: None,
            history: vec![],
            above: None,
            fingerprint: String::new(),
            locator: String::new(),
        }
    }

    #[test]
    fn slices_cover_everything_once_and_end() {
        let mut drafts = Skipped::default();
        drafts.count("draft", 2);
        let around = Around { skipped: drafts, ..Around::default() };
        let (mut cursor, mut seen, mut skipped) = (None, Vec::new(), 0);
        loop {
            let listed = slice(cursor.as_deref(), 2_500, &around, page).unwrap();
            seen.extend(listed.pages.into_iter().map(|page| page.id.as_str().parse::<usize>().unwrap()));
            skipped += listed.skipped.len();
            match listed.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        assert_eq!(seen, (0..2_500).collect::<Vec<_>>());
        assert_eq!(skipped, 1);
    }

    #[test]
    fn a_wiki_without_pages_has_one_empty_slice() {
        let listed = slice(None, 0, &Around::default(), page).unwrap();
        assert!(listed.pages.is_empty() && listed.next.is_none());
        assert!(slice(Some("x"), 0, &Around::default(), page).is_err());
    }
}
