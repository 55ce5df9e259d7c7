//! Texts become vectors: the seam, the registry of its implementers, and the form in which vectors are kept.
//!
//! Knows no state and no journal: which texts are owed a vector, and where it is kept, is decided by the
//! callers. An embedder that must ask a service will answer with the request to send, like a model dialect;
//! callers go by `Embedder::name` and never by kind. Siblings in this folder never name each other.

pub mod builtin;
mod quantised;

pub use quantised::{Quantised, WrongSize};

/// What turns texts into vectors.
pub trait Embedder: Send + Sync {
    /// Names the model and its arithmetic. Kept beside every vector: vectors of different names are never
    /// compared.
    fn name(&self) -> &str;

    /// How many numbers a vector has.
    fn dimensions(&self) -> usize;

    /// One vector of length 1 for each text, in order. The same text always gives the same vector.
    fn embed(&self, texts: &[&str]) -> Vec<Vec<f32>>;
}

/// Makes an embedder; cheap, and nothing is loaded before the first text.
type Make = fn() -> Box<dyn Embedder>;

/// Every embedder, by the name a user gives in the settings.
const REGISTRY: &[(&str, Make)] = &[("builtin", || Box::new(builtin::Builtin))];

/// The embedder of that setting, where there is one.
#[must_use]
pub fn find(setting: &str) -> Option<Box<dyn Embedder>> {
    REGISTRY.iter().find(|(name, _)| *name == setting).map(|(_, make)| make())
}

/// The settings that `find` knows, for messages.
pub fn settings() -> impl Iterator<Item = &'static str> {
    REGISTRY.iter().map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contract every embedder keeps.
    fn keeps_the_contract(embedder: &dyn Embedder) {
        let texts =
            ["The payments team owns ledger-service.", "", "ledger-service is owned by Payments.", "x"];
        let together = embedder.embed(&texts);
        assert_eq!(together.len(), texts.len());
        for (text, vector) in texts.iter().zip(&together) {
            assert_eq!(vector.len(), embedder.dimensions());
            let length: f32 = vector.iter().map(|x| x * x).sum();
            assert!((length - 1.0).abs() < 1e-5, "`{text}` has length {length}");
            assert_eq!(&embedder.embed(&[text])[0], vector, "`{text}` depends on its neighbours");
        }
        assert!(embedder.embed(&[]).is_empty());
        let kept: Vec<Quantised> = together.iter().map(|vector| Quantised::of(vector)).collect();
        assert!(kept[0].cosine(&kept[2]) > kept[0].cosine(&kept[3]));
    }

    #[test]
    fn every_embedder_in_the_registry_keeps_the_contract() {
        for setting in settings() {
            keeps_the_contract(&*find(setting).unwrap());
        }
    }

    #[test]
    fn names_are_told_apart_and_an_unknown_setting_is_none() {
        let mut names: Vec<String> =
            settings().map(|setting| find(setting).unwrap().name().to_owned()).collect();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(find("no such embedder").is_none());
    }
}
