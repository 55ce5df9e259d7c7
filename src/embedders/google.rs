//! Vectors of Google's models: the Gemini API by `batchEmbedContents` with its key, Vertex AI by `predict` with Google
//! credentials at a region. Must not know where a token comes from.

use super::{Answer, DIMENSIONS, Embedder, Purpose, Share, Turn, check_length, kept, name};
use crate::error::Result;
use crate::models::{
    Access, Auth, GOOGLE_SCOPE, Method, Refusal, Request, Response, google_host, of_body, of_failure,
};
use serde::{Deserialize, Serialize};

/// The Gemini API takes 100 texts a request, of 2,048 tokens each.
const GEMINI: Share = Share { texts: 100, bytes: 150_000 };
/// Vertex AI takes 250 texts and 20,000 tokens a request. Text that is all numbers or of many scripts has a token for
/// every two bytes; a request that is refused all the same is asked again in halves.
const VERTEX: Share = Share { texts: 250, bytes: 40_000 };
/// Its Gemini models take one text a request.
const VERTEX_GEMINI: Share = Share { texts: 1, bytes: 40_000 };

struct Google {
    access: Access,
    name: String,
    label: String,
    url: String,
    auth: Auth,
    asked: usize,
    share: Share,
    /// Vertex AI: instances in, predictions out.
    predicts: bool,
}

/// The Gemini API: `generativelanguage.googleapis.com`, with a key.
pub(super) fn gemini(access: Access, wanted: Option<usize>) -> Result<Box<dyn Embedder>> {
    let endpoint = &access.endpoint;
    let base = endpoint.base("https://generativelanguage.googleapis.com");
    let url = format!("{base}/v1beta/models/{}:batchEmbedContents", endpoint.model);
    let auth = access.key.clone().map_or(Auth::None, |key| Auth::Header("x-goog-api-key", key));
    let asked = wanted.unwrap_or(DIMENSIONS);
    let name = name(&endpoint.model, Some(asked));
    let label = "gemini".to_owned();
    Ok(Box::new(Google { access, name, label, url, auth, asked, share: GEMINI, predicts: false }))
}

/// Vertex AI. Credentials are Google's own, unless a key is set.
pub(super) fn vertex(access: Access, wanted: Option<usize>) -> Result<Box<dyn Embedder>> {
    let endpoint = &access.endpoint;
    let place = endpoint.location.as_deref().unwrap_or("global");
    let base = endpoint.base(&format!("https://{}", google_host(place)));
    let Some(project) = &endpoint.project else {
        return Err(endpoint
            .wrong("no project is set, expected the name of a Google Cloud project".to_owned())
            .hint("set `embedding_project`, or `model_project`; `gcloud config get project` says the current one"));
    };
    let model = &endpoint.model;
    let url =
        format!("{base}/v1/projects/{project}/locations/{place}/publishers/google/models/{model}:predict");
    let auth =
        access.key.clone().map_or(Auth::Google(GOOGLE_SCOPE), |key| Auth::Header("x-goog-api-key", key));
    let share = if model.starts_with("gemini-") { VERTEX_GEMINI } else { VERTEX };
    let asked = wanted.unwrap_or(DIMENSIONS);
    let name = name(model, Some(asked));
    let label = format!("vertex {place}");
    Ok(Box::new(Google { access, name, label, url, auth, asked, share, predicts: true }))
}

#[derive(Serialize)]
#[serde(untagged)]
enum Body<'a> {
    Batch { requests: Vec<Content<'a>> },
    Predict { instances: Vec<Instance<'a>>, parameters: Parameters },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Content<'a> {
    model: &'a str,
    content: Parts<'a>,
    task_type: &'a str,
    output_dimensionality: usize,
}

#[derive(Serialize)]
struct Parts<'a> {
    parts: [Part<'a>; 1],
}

#[derive(Serialize)]
struct Part<'a> {
    text: &'a str,
}

#[derive(Serialize)]
struct Instance<'a> {
    content: &'a str,
    task_type: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Parameters {
    output_dimensionality: usize,
}

#[derive(Deserialize)]
struct Batch {
    embeddings: Vec<Values>,
    #[serde(default, rename = "usageMetadata")]
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Usage {
    #[serde(default, rename = "promptTokenCount")]
    tokens: u64,
}

#[derive(Deserialize)]
struct Predicted {
    predictions: Vec<Prediction>,
}

#[derive(Deserialize)]
struct Prediction {
    embeddings: Values,
}

#[derive(Deserialize)]
struct Values {
    values: Vec<f32>,
    #[serde(default)]
    statistics: Option<Statistics>,
}

#[derive(Deserialize)]
struct Statistics {
    /// A number with a fraction of zero, for some models.
    #[serde(default)]
    token_count: f64,
}

impl Google {
    fn body(&self, texts: &[&str], purpose: Purpose) -> Vec<u8> {
        let task_type = match purpose {
            Purpose::Kept => "RETRIEVAL_DOCUMENT",
            Purpose::Question => "RETRIEVAL_QUERY",
        };
        let model = format!("models/{}", self.access.endpoint.model);
        let texts = texts.iter().copied();
        let body = match self.predicts {
            true => Body::Predict {
                instances: texts.map(|content| Instance { content, task_type }).collect(),
                parameters: Parameters { output_dimensionality: self.asked },
            },
            false => {
                let content = |text| Content {
                    model: &model,
                    content: Parts { parts: [Part { text }] },
                    task_type,
                    output_dimensionality: self.asked,
                };
                Body::Batch { requests: texts.map(content).collect() }
            }
        };
        // Texts and numbers: nothing in it can fail to be JSON.
        serde_json::to_vec(&body).unwrap_or_default()
    }

    /// The numbers of a response, and the tokens it counts.
    fn numbers(&self, body: &[u8]) -> Option<(Vec<Vec<f32>>, u64)> {
        let (values, told) = match self.predicts {
            true => {
                let said: Predicted = serde_json::from_slice(body).ok()?;
                (said.predictions.into_iter().map(|one| one.embeddings).collect(), 0)
            }
            false => {
                let said: Batch = serde_json::from_slice(body).ok()?;
                (said.embeddings, said.usage.map_or(0, |usage| usage.tokens))
            }
        };
        let values: Vec<Values> = values;
        let counted: f64 = values.iter().filter_map(|one| Some(one.statistics.as_ref()?.token_count)).sum();
        let tokens = told.max(counted.max(0.0) as u64);
        Some((values.into_iter().map(|one| one.values).collect(), tokens))
    }
}

impl Embedder for Google {
    fn name(&self) -> &str {
        &self.name
    }

    fn label(&self) -> &str {
        &self.label
    }

    fn share(&self) -> Option<Share> {
        Some(self.share)
    }

    fn turn(&self, texts: &[&str], purpose: Purpose) -> Turn {
        Turn::Send(Request {
            method: Method::Post,
            url: self.url.clone(),
            headers: vec![("content-type", "application/json".to_owned())],
            private: self.access.headers.clone(),
            auth: self.auth.clone(),
            body: self.body(texts, purpose),
        })
    }

    fn read(&self, response: &Response, texts: usize) -> std::result::Result<Answer, Refusal> {
        if !response.is_success() {
            return Err(of_failure(&self.label, response));
        }
        let found = self.numbers(&response.body);
        let (numbers, tokens) = found.ok_or_else(|| of_body(&self.label, response, "no vectors"))?;
        let asked = Some(self.asked);
        let vectors = kept(&numbers, texts, asked).map_err(|why| of_body(&self.label, response, &why))?;
        check_length(&self.label, &vectors, asked)?;
        Ok(Answer { vectors, tokens })
    }
}
