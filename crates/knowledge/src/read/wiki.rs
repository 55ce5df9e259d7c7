//! Wiki markup to blocks.
use crate::document::Document;
pub(super) fn document(body: &str) -> Document {
    super::plain_text(body)
}
