//! The pictures behind Confluence's emoticon names, for pages that do not carry the character themselves.

/// The character of an emoticon by its old name.
pub(super) fn named(name: &str) -> Option<&'static str> {
    Some(match name {
        "tick" => "✅",
        "cross" => "❌",
        "warning" => "⚠",
        "information" => "ℹ",
        "question" => "❓",
        "light-on" => "💡",
        "light-off" => "🌑",
        "smile" => "🙂",
        "sad" => "🙁",
        "cheeky" => "😛",
        "laugh" => "😀",
        "wink" => "😉",
        "thumbs-up" => "👍",
        "thumbs-down" => "👎",
        "plus" => "➕",
        "minus" => "➖",
        "heart" => "❤",
        "broken-heart" => "💔",
        "star" | "yellow-star" | "red-star" | "green-star" | "blue-star" => "⭐",
        _ => return None,
    })
}
