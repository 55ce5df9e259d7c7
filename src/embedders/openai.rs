//! Vectors as OpenAI documents them, and as everybody else repeats it: OpenAI, Azure, and compatible servers (vLLM,
//! llama.cpp, Ollama, LM Studio, LiteLLM, gateways). Must not know which server is behind an address.

use super::{Answer, DIMENSIONS, Embedder, Purpose, Share, Turn, check_length, kept, name};
use crate::error::Result;
use crate::models::{Access, Auth, Method, Refusal, Request, Response, of_body, of_failure};
use serde::{Deserialize, Serialize};

/// OpenAI takes 2,048 texts and 300,000 tokens a request. A request that is lost is paid for again, so it holds an
/// eighth of that: a hundred thousand texts are still only 400 requests.
const SHARE: Share = Share { texts: 256, bytes: 150_000 };
/// A server of one's own has a batch of a few thousand tokens, and takes longer for each text.
const OWN_SHARE: Share = Share { texts: 64, bytes: 64_000 };

struct OpenAi {
    access: Access,
    name: String,
    label: String,
    url: String,
    auth: Auth,
    asked: Option<usize>,
    share: Share,
}

/// OpenAI itself.
pub(super) fn openai(access: Access, wanted: Option<usize>) -> Result<Box<dyn Embedder>> {
    let url = format!("{}/embeddings", access.endpoint.base("https://api.openai.com/v1"));
    let auth = access.key.clone().map_or(Auth::None, Auth::Bearer);
    Ok(Box::new(made(access, ("openai".to_owned(), url, auth), wanted, SHARE)))
}

/// A resource of Azure: with `api_version` its dated addresses, otherwise the ones that have no date.
pub(super) fn azure(access: Access, wanted: Option<usize>) -> Result<Box<dyn Embedder>> {
    let endpoint = &access.endpoint;
    if endpoint.base_url.is_none() {
        return Err(endpoint
            .wrong("no address is set, expected that of the resource".to_owned())
            .hint("for example `embedding_url = \"https://NAME.openai.azure.com\"`"));
    }
    let base = endpoint.base("");
    let base = base.trim_end_matches("/openai/v1");
    let url = match &endpoint.api_version {
        Some(version) => {
            format!("{base}/openai/deployments/{}/embeddings?api-version={version}", endpoint.model)
        }
        None => format!("{base}/openai/v1/embeddings"),
    };
    let auth = access.key.clone().map_or(Auth::None, |key| Auth::Header("api-key", key));
    Ok(Box::new(made(access, ("azure".to_owned(), url, auth), wanted, SHARE)))
}

/// A server that speaks the same.
pub(super) fn compatible(access: Access, wanted: Option<usize>) -> Result<Box<dyn Embedder>> {
    let endpoint = &access.endpoint;
    if endpoint.base_url.is_none() {
        return Err(endpoint.wrong("no address is set, expected that of the server".to_owned()).hint(
            "for example `embedding_url = \"http://localhost:11434/v1\"`, or write `local/MODEL` to look for one",
        ));
    }
    let (label, url) =
        (format!("compatible {}", endpoint.base("")), format!("{}/embeddings", endpoint.base("")));
    let auth = access.key.clone().map_or(Auth::None, Auth::Bearer);
    Ok(Box::new(made(access, (label, url, auth), wanted, OWN_SHARE)))
}

fn made(access: Access, place: (String, String, Auth), wanted: Option<usize>, share: Share) -> OpenAi {
    let (label, url, auth) = place;
    // Only this family lets us choose; others refuse the word.
    let choose = access.endpoint.model.contains("text-embedding-3");
    let asked = wanted.or(choose.then_some(DIMENSIONS));
    OpenAi { name: name(&access.endpoint.model, asked), access, label, url, auth, asked, share }
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    input: &'a [&'a str],
    encoding_format: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<usize>,
}

#[derive(Deserialize)]
struct Said {
    data: Vec<Item>,
    #[serde(default)]
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    index: Option<usize>,
    embedding: Vec<f32>,
}

#[derive(Deserialize)]
struct Usage {
    #[serde(default)]
    prompt_tokens: u64,
}

impl Embedder for OpenAi {
    fn name(&self) -> &str {
        &self.name
    }

    fn label(&self) -> &str {
        &self.label
    }

    fn share(&self) -> Option<Share> {
        Some(self.share)
    }

    fn turn(&self, texts: &[&str], _: Purpose) -> Turn {
        let model = &self.access.endpoint.model;
        let body = Body { model, input: texts, encoding_format: "float", dimensions: self.asked };
        Turn::Send(Request {
            method: Method::Post,
            url: self.url.clone(),
            headers: vec![("content-type", "application/json".to_owned())],
            private: self.access.headers.clone(),
            auth: self.auth.clone(),
            // Texts and numbers: nothing in it can fail to be JSON.
            body: serde_json::to_vec(&body).unwrap_or_default(),
        })
    }

    fn read(&self, response: &Response, texts: usize) -> std::result::Result<Answer, Refusal> {
        if !response.is_success() {
            return Err(of_failure(&self.label, response));
        }
        let Ok(Said { mut data, usage }) = serde_json::from_slice::<Said>(&response.body) else {
            return Err(of_body(&self.label, response, "no vectors"));
        };
        // Each says which text it belongs to; where none does, they stand in order.
        data.sort_by_key(|item| item.index.unwrap_or(0));
        if data.iter().enumerate().any(|(number, item)| item.index.is_some_and(|index| index != number)) {
            return Err(of_body(&self.label, response, "vectors of other texts than were asked for"));
        }
        let numbers: Vec<Vec<f32>> = data.into_iter().map(|item| item.embedding).collect();
        let vectors =
            kept(&numbers, texts, self.asked).map_err(|why| of_body(&self.label, response, &why))?;
        check_length(&self.label, &vectors, self.asked)?;
        Ok(Answer { vectors, tokens: usage.map_or(0, |usage| usage.prompt_tokens) })
    }
}
