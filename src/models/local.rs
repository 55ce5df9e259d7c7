//! A model server on this machine: where one usually listens, and what it says about itself. Pure: `world::http` asks,
//! and only when the user wrote `local`. Must not choose silently: two servers are a question for the user.

use super::endpoint::Endpoint;
use super::{Auth, Method, Request, Response};
use crate::error::{Error, Kind, Result};
use serde_json::Value;

/// A place where a server may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// What usually listens there.
    pub name: String,
    /// Where its API begins.
    pub base_url: String,
}

/// What answered at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The place.
    pub place: Place,
    /// The models it serves, as it names them.
    pub models: Vec<String>,
}

/// The ports that servers take unless told otherwise.
const USUAL: [(&str, u16); 4] = [("Ollama", 11434), ("llama.cpp", 8080), ("vLLM", 8000), ("LM Studio", 1234)];

/// Where to look: the place that `OPENAI_BASE_URL` names first, then the usual ports.
pub fn places(openai_base_url: Option<&str>) -> Vec<Place> {
    let named = openai_base_url.filter(|url| !url.is_empty());
    let twice = |port: u16| {
        let here = ["localhost", "127.0.0.1", "[::1]"].map(|host| format!("//{host}:{port}/"));
        named.is_some_and(|url| here.iter().any(|here| format!("{url}/").contains(here)))
    };
    let usual = USUAL.into_iter().filter(|(_, port)| !twice(*port));
    let usual = usual
        .map(|(name, port)| Place { name: name.to_owned(), base_url: format!("http://127.0.0.1:{port}/v1") });
    let named = named.map(|url| Place { name: "OPENAI_BASE_URL".to_owned(), base_url: url.to_owned() });
    named.into_iter().chain(usual).collect()
}

/// The question which models there are. It carries no key: whoever listens there was not named by the user.
pub fn request(place: &Place) -> Request {
    Request {
        method: Method::Get,
        url: format!("{}/models", place.base_url.trim_end_matches('/')),
        headers: Vec::new(),
        private: Vec::new(),
        auth: Auth::None,
        body: Vec::new(),
    }
}

/// What answered, if it is a model server.
pub fn read(place: Place, response: &Response) -> Option<Found> {
    let body: Value = serde_json::from_slice(&response.body).ok().filter(|_| response.is_success())?;
    let models = body.get("data")?.as_array()?;
    let models = models.iter().filter_map(|model| model.get("id")?.as_str()).map(str::to_owned).collect();
    Some(Found { place, models })
}

/// The endpoint that the user means by `local`, or by `local/MODEL`.
///
/// # Errors
/// No server, no such model, or more than one that could be meant.
pub fn choose(found: &[Found], model: Option<&str>) -> Result<Endpoint> {
    let all = found.iter().flat_map(|found| found.models.iter().map(move |model| (&found.place, model)));
    let meant: Vec<_> = all.clone().filter(|(_, name)| model.is_none_or(|model| model == *name)).collect();
    if let [(place, model)] = meant[..] {
        let base_url = Some(place.base_url.clone());
        let endpoint =
            Endpoint { vendor: "compatible".into(), model: model.clone(), base_url, ..Endpoint::default() };
        return endpoint.check().map(|()| endpoint);
    }
    let listed: Vec<String> = all.map(|(place, model)| format!("`{model}` at {}", place.base_url)).collect();
    let text = match (meant.len(), listed.len()) {
        (_, 0) => "looking for a local model: no server answered with one".to_owned(),
        (0, _) => format!("looking for the local model `{}`: it is not served", model.unwrap_or_default()),
        (several, _) => format!("looking for a local model: {several} could be meant"),
    };
    let hint = match listed.is_empty() {
        true => {
            let usual = USUAL.map(|(name, port)| format!("{name} (port {port})")).join(", ");
            format!("start one of {usual}, or set `OPENAI_BASE_URL`")
        }
        false => format!("write `local/MODEL` (or set `base_url` too); there are: {}", listed.join(", ")),
    };
    Err(Error::new(Kind::Usage, text).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(port: usize, models: &[&str]) -> Found {
        let place = places(None).swap_remove(port);
        Found { place, models: models.iter().map(|model| (*model).to_owned()).collect() }
    }

    #[test]
    fn one_model_is_taken_and_of_several_none_silently() {
        let one = choose(&[found(0, &["qwen3:8b"]), found(1, &[])], None).unwrap();
        assert_eq!((one.vendor.as_str(), one.model.as_str()), ("compatible", "qwen3:8b"));
        assert_eq!(one.base_url.as_deref(), Some("http://127.0.0.1:11434/v1"));
        let two = [found(0, &["a", "b"]), found(1, &["c"])];
        assert_eq!(choose(&two, Some("c")).unwrap().base_url.unwrap(), "http://127.0.0.1:8080/v1");
        let error = choose(&two, None).unwrap_err();
        assert!(error.to_string().contains("3 could be meant"), "{error}");
        assert!(error.advice().unwrap().contains("`c` at http://127.0.0.1:8080/v1"), "{error:?}");
        assert!(choose(&two, Some("d")).unwrap_err().to_string().contains("`d`: it is not served"));
        assert!(choose(&[], None).unwrap_err().advice().unwrap().contains("Ollama (port 11434)"));
    }

    #[test]
    fn a_place_that_is_named_is_not_looked_at_twice() {
        assert_eq!(places(Some("http://localhost:8080")).len(), 4);
        assert_eq!(places(Some("http://localhost:80801/v1")).len(), 5);
        assert_eq!(places(Some("")).len(), 4);
    }

    #[test]
    fn what_is_not_a_model_server_is_not_taken_for_one() {
        let answer = |status, body: &str| Response { status, headers: vec![], body: body.into() };
        let place = || places(Some("http://gpu:9000/v1/")).swap_remove(0);
        assert_eq!(request(&place()).url, "http://gpu:9000/v1/models");
        let models =
            read(place(), &answer(200, r#"{"object":"list","data":[{"id":"m"},{"id":7}]}"#)).unwrap();
        assert_eq!(models.models, ["m"]);
        for (status, body) in [(200, "<html>"), (404, "{\"data\":[]}"), (200, "{}"), (200, "{\"data\":3}")] {
            assert_eq!(read(place(), &answer(status, body)), None, "{status} {body}");
        }
    }
}
