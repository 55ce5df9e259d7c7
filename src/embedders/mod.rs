//! Texts become vectors: the seam `Embedder`, the registry of its implementers, and the form in which vectors are kept.
//!
//! An embedder is pure, like a model's dialect: it makes the vectors at once, or says which request to send and reads
//! what comes back. It knows no state, no journal and no socket: which texts are owed a vector, and where it is kept, is
//! decided by the callers. Invariant: a response gives as many vectors as there were texts, all of one length, in their
//! order, or a refusal. Siblings in this folder never name each other.

pub mod builtin;
mod google;
mod openai;
mod quantised;

pub use quantised::{Quantised, WrongSize};

use crate::error::{Error, Kind, Result};
use crate::models::{self, Access, Endpoint, Refusal, Request, Response};

/// What turns texts into vectors.
pub trait Embedder: Send + Sync {
    /// Names the model and what is asked of it. Kept beside every vector: vectors of different names are never
    /// compared, and the same name elsewhere is not paid for again.
    fn name(&self) -> &str;

    /// Where it is asked, for messages: vendor and place, without keys.
    fn label(&self) -> &str {
        self.name()
    }

    /// How much a request may hold; nothing when nobody is asked.
    fn share(&self) -> Option<Share> {
        None
    }

    /// The vectors of these texts, or the request for them. The same texts always give the same.
    fn turn(&self, texts: &[&str], purpose: Purpose) -> Turn;

    /// What a response to a request for so many texts says.
    ///
    /// # Errors
    /// A failure, or a success that is not what the vendor documents.
    fn read(&self, response: &Response, texts: usize) -> std::result::Result<Answer, Refusal> {
        let found = format!(
            "reading {texts} vectors: `{}` asks nobody, so {} answered",
            self.name(),
            response.status
        );
        Err(Refusal::new(models::Kind::Halt, found))
    }
}

/// How much a request may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Texts.
    pub texts: usize,
    /// Bytes of all texts together: a token is a byte at worst, and about four in English.
    pub bytes: usize,
}

/// What a vector is for: some models make another one of a question than of what may answer it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be found.
    Kept,
    /// To find.
    Question,
}

/// What to do for the vectors of some texts.
#[derive(Debug)]
pub enum Turn {
    /// Nothing: here they are.
    Made(Vec<Quantised>),
    /// Send this.
    Send(Request),
}

/// Vectors that came back.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// One for each text, in order.
    pub vectors: Vec<Quantised>,
    /// Tokens, as the vendor counted them; 0 where it does not say.
    pub tokens: u64,
}

/// A vendor: its name in the settings, and its embedder for an endpoint that has its secrets.
struct Vendor {
    name: &'static str,
    make: fn(Access, Option<usize>) -> Result<Box<dyn Embedder>>,
}

/// Every vendor, one line each.
const VENDORS: &[Vendor] = &[
    Vendor { name: "azure", make: openai::azure },
    Vendor { name: "compatible", make: openai::compatible },
    Vendor { name: "gemini", make: google::gemini },
    Vendor { name: "openai", make: openai::openai },
    Vendor { name: "vertex", make: google::vertex },
];

/// Numbers of a vector where its model lets us choose: the models of today lose about a hundredth of what they find
/// against four times as many, and every search reads them all.
const DIMENSIONS: usize = 768;

/// The names of all vendors, for messages.
pub fn vendors() -> impl Iterator<Item = &'static str> {
    VENDORS.iter().map(|vendor| vendor.name)
}

/// The embedder of an endpoint. `dimensions` is what the user wants, where it was said; `environment` looks a variable
/// up.
///
/// # Errors
/// A vendor that makes no vectors, settings that do not fit it, or a key that cannot be read.
pub fn embedder(
    endpoint: &Endpoint,
    dimensions: Option<usize>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Box<dyn Embedder>> {
    let vendor = vendor(endpoint)?;
    (vendor.make)(models::access(endpoint, environment)?, dimensions)
}

/// Refuses an endpoint that no embedder could be made for.
///
/// # Errors
/// As `embedder`, but no key is read.
pub fn check(endpoint: &Endpoint) -> Result<()> {
    vendor(endpoint)?;
    endpoint.check()
}

fn vendor(endpoint: &Endpoint) -> Result<&'static Vendor> {
    VENDORS.iter().find(|vendor| vendor.name == endpoint.vendor).ok_or_else(|| {
        let known: Vec<&str> = vendors().collect();
        let text = format!("choosing an embedding: `{}` is no vendor of vectors", endpoint.vendor);
        Error::new(Kind::Usage, text).hint(format!(
            "write `builtin`, `none`, `local/MODEL`, or VENDOR/MODEL with one of: {}",
            known.join(", ")
        ))
    })
}

/// The name under which vectors are kept.
fn name(model: &str, asked: Option<usize>) -> String {
    match asked {
        Some(dimensions) => format!("{model}/{dimensions}"),
        None => model.to_owned(),
    }
}

/// The vectors that a vendor's numbers mean, checked. Where fewer numbers were asked for than came, the first are taken:
/// a model that lets us choose puts what matters there. Whose numbers cannot be right says why.
fn kept(
    numbers: &[Vec<f32>],
    texts: usize,
    asked: Option<usize>,
) -> std::result::Result<Vec<Quantised>, String> {
    let length = numbers.first().map_or(0, Vec::len);
    if numbers.len() != texts {
        return Err(format!("{} vectors, expected {texts}", numbers.len()));
    }
    if length == 0 || numbers.iter().any(|vector| vector.len() != length) {
        return Err(format!("vectors of different lengths, or of none, expected {texts} of one"));
    }
    let wanted = asked.unwrap_or(length).min(length);
    Ok(numbers.iter().map(|vector| Quantised::of(&vector[..wanted])).collect())
}

/// Refuses vectors that are shorter than what was asked for: another model answers than the one that was meant.
fn check_length(
    label: &str,
    vectors: &[Quantised],
    asked: Option<usize>,
) -> std::result::Result<(), Refusal> {
    let found = vectors.first().map_or(0, Quantised::dimensions);
    match asked.filter(|asked| found < *asked) {
        None => Ok(()),
        Some(asked) => {
            let text = format!("asking `{label}`: its vectors have {found} numbers, expected {asked}");
            let hint = format!("\nhint: set `embedding_dimensions = {found}` if this is the model you mean");
            Err(Refusal::new(models::Kind::Halt, text + &hint))
        }
    }
}

#[cfg(test)]
mod contract;
