//! What every embedder keeps to, and what each vendor's documents say, on bytes in memory. `tests/remote.rs` does it over
//! a socket.

use super::*;
use crate::models::{Auth, Kind};
use builtin::Builtin;
use proptest::prelude::*;
use serde_json::{Value, json};

fn endpoint(vendor: &str, model: &str) -> Endpoint {
    Endpoint {
        vendor: vendor.into(),
        model: model.into(),
        base_url: Some("http://host/v1".into()),
        project: Some("wiki".into()),
        ..Endpoint::default()
    }
}

fn made(vendor: &str, model: &str) -> Box<dyn Embedder> {
    embedder(&endpoint(vendor, model), None, |_| Some("sk-a-key-of-some-length".into())).unwrap()
}

fn sent(embedder: &dyn Embedder, texts: &[&str], purpose: Purpose) -> (Request, Value) {
    let Turn::Send(request) = embedder.turn(texts, purpose) else { panic!("expected a request") };
    let body = serde_json::from_slice(&request.body).unwrap();
    (request, body)
}

fn response(status: u16, body: &str) -> Response {
    Response { status, headers: Vec::new(), body: body.into() }
}

/// A success as the vendor documents it: so many vectors of so many numbers.
fn good(vendor: &str, vectors: usize, length: usize) -> Value {
    let numbers = |number: usize| (0..length).map(|at| ((at + number) % 7) as f64 / 7.0).collect::<Vec<_>>();
    let all = (0..vectors).map(numbers);
    match vendor {
        "gemini" => json!({"embeddings": all.map(|values| json!({"values": values})).collect::<Vec<_>>()}),
        "vertex" => {
            let statistics = json!({"token_count": 4.0, "truncated": false});
            let one = |values| json!({"embeddings": {"values": values, "statistics": statistics}});
            json!({"predictions": all.map(one).collect::<Vec<_>>(), "metadata": {"billableCharacterCount": 9}})
        }
        _ => {
            let one =
                |(index, embedding)| json!({"object": "embedding", "index": index, "embedding": embedding});
            let data: Vec<Value> = all.enumerate().map(one).collect();
            json!({"object": "list", "data": data, "usage": {"prompt_tokens": 8, "total_tokens": 8}})
        }
    }
}

#[test]
fn the_built_in_embedder_asks_nobody_and_a_texts_vector_is_its_own() {
    let texts = ["The payments team owns ledger-service.", "", "ledger-service is owned by Payments.", "x"];
    let Turn::Made(together) = Builtin.turn(&texts, Purpose::Kept) else { panic!("it asks somebody") };
    assert_eq!((together.len(), Builtin.share()), (texts.len(), None));
    for (text, vector) in texts.iter().zip(&together) {
        assert_eq!(&Builtin.embed(&[text])[0], vector, "`{text}` depends on its neighbours");
    }
    assert!(Builtin.embed(&[]).is_empty());
    assert!(together[0].cosine(&together[2]) > together[0].cosine(&together[3]));
    assert_eq!(Builtin.read(&response(200, "{}"), 1).unwrap_err().kind, Kind::Halt);
}

#[test]
fn every_vendor_is_asked_for_many_texts_at_once_as_it_documents() {
    let (request, body) = sent(&*made("openai", "text-embedding-3-small"), &["a", "b"], Purpose::Kept);
    assert_eq!(request.url, "http://host/v1/embeddings");
    assert_eq!(
        body,
        json!({"model": "text-embedding-3-small", "input": ["a", "b"], "encoding_format": "float", "dimensions": 768})
    );
    let (request, _) = sent(&*made("azure", "text-embedding-3-large"), &["a"], Purpose::Kept);
    assert_eq!(request.url, "http://host/v1/openai/v1/embeddings");
    assert!(matches!(request.auth, Auth::Header("api-key", _)));
    let (_, body) = sent(&*made("compatible", "bge-m3"), &["a"], Purpose::Question);
    assert_eq!(body, json!({"model": "bge-m3", "input": ["a"], "encoding_format": "float"}));

    let (request, body) = sent(&*made("gemini", "gemini-embedding-001"), &["a"], Purpose::Kept);
    assert!(
        request.url.ends_with("/v1beta/models/gemini-embedding-001:batchEmbedContents"),
        "{}",
        request.url
    );
    assert_eq!(
        body,
        json!({"requests": [{"model": "models/gemini-embedding-001", "content": {"parts": [{"text": "a"}]},
               "taskType": "RETRIEVAL_DOCUMENT", "outputDimensionality": 768}]})
    );
    let (request, body) = sent(&*made("vertex", "text-embedding-005"), &["a", "b"], Purpose::Question);
    assert!(
        request
            .url
            .ends_with("/projects/wiki/locations/global/publishers/google/models/text-embedding-005:predict"),
        "{}",
        request.url
    );
    let instance = |text| json!({"content": text, "task_type": "RETRIEVAL_QUERY"});
    assert_eq!(
        body,
        json!({"instances": [instance("a"), instance("b")], "parameters": {"outputDimensionality": 768}})
    );
    let texts = |vendor, model| made(vendor, model).share().unwrap().texts;
    assert_eq!(texts("vertex", "gemini-embedding-001"), 1);
    assert_eq!(texts("gemini", "gemini-embedding-001"), 100);
}

#[test]
fn the_name_tells_models_and_lengths_apart_and_not_the_places() {
    let name = |vendor, model, wanted| {
        embedder(&endpoint(vendor, model), wanted, |_| Some("sk-a-key".into())).unwrap().name().to_owned()
    };
    assert_eq!(name("openai", "text-embedding-3-small", None), "text-embedding-3-small/768");
    assert_eq!(name("azure", "text-embedding-3-small", Some(256)), "text-embedding-3-small/256");
    assert_eq!(name("gemini", "gemini-embedding-001", None), name("vertex", "gemini-embedding-001", None));
    assert_eq!(name("compatible", "bge-m3", None), "bge-m3");
    assert!(vendors().all(|vendor| name(vendor, "m", None) != Builtin.name()));
}

#[test]
fn who_makes_no_vectors_is_refused_with_those_that_do() {
    let error = check(&endpoint("anthropic", "claude")).unwrap_err();
    assert!(error.to_string().contains("`anthropic` is no vendor of vectors"), "{error}");
    assert!(error.advice().unwrap().contains("azure, compatible, gemini, openai, vertex"));
    let bare = Endpoint { base_url: None, ..endpoint("compatible", "m") };
    assert!(embedder(&bare, None, |_| None).is_err());
    let bare = Endpoint { project: None, ..endpoint("vertex", "m") };
    assert!(embedder(&bare, None, |_| None).is_err());
}

#[test]
fn a_response_gives_a_vector_for_each_text_or_a_refusal() {
    for vendor in vendors() {
        let embedder = made(vendor, "text-embedding-3-small");
        let answer = embedder.read(&response(200, &good(vendor, 2, 1024).to_string()), 2).unwrap();
        let lengths: Vec<usize> = answer.vectors.iter().map(Quantised::dimensions).collect();
        assert_eq!(lengths, [768, 768], "{vendor}: longer ones are cut to what was asked for");
        assert!(answer.tokens == 8 || vendor == "gemini", "{vendor}: {}", answer.tokens);
        assert_ne!(answer.vectors[0], answer.vectors[1]);

        let short = embedder.read(&response(200, &good(vendor, 2, 384).to_string()), 2).unwrap_err();
        assert_eq!(short.kind, Kind::Halt, "{vendor}: {short}");
        assert!(short.text.contains("384 numbers, expected 768"), "{short}");
        let whole = good(vendor, 2, 768).to_string();
        let mut uneven = good(vendor, 2, 768);
        let numbers = match vendor {
            "gemini" => &mut uneven["embeddings"][1]["values"],
            "vertex" => &mut uneven["predictions"][1]["embeddings"]["values"],
            _ => &mut uneven["data"][1]["embedding"],
        };
        numbers.as_array_mut().unwrap().pop();
        let broken = [
            good(vendor, 1, 768).to_string(),
            good(vendor, 3, 768).to_string(),
            good(vendor, 2, 0).to_string(),
            uneven.to_string(),
            whole[..whole.len() / 2].to_owned(),
            whole.replacen("0.0", "null", 1),
            whole.replacen("0.0", "\"0\"", 1),
            "{}".to_owned(),
            "<html>Sign in</html>".to_owned(),
            String::new(),
        ];
        for body in broken {
            let refusal = embedder.read(&response(200, &body), 2).unwrap_err();
            assert_eq!(refusal.kind, Kind::fault(), "{vendor}: {refusal}");
        }
        let kind = |status| embedder.read(&response(status, "{}"), 2).unwrap_err().kind;
        assert_eq!(kind(429), Kind::Later { wait: None, quota: true, day: false });
        assert_eq!((kind(503), kind(400), kind(401)), (Kind::fault(), Kind::Never, Kind::Halt));
    }
}

#[test]
fn vectors_that_say_which_text_they_belong_to_are_put_in_order() {
    let embedder = made("compatible", "m");
    let item = |index: Option<usize>, first: f64| json!({"index": index, "embedding": [first, 1.0]});
    let read = |items: Vec<Value>| embedder.read(&response(200, &json!({"data": items}).to_string()), 2);
    let in_order = read(vec![item(Some(0), 0.0), item(Some(1), 0.5)]).unwrap();
    assert_eq!(read(vec![item(Some(1), 0.5), item(Some(0), 0.0)]).unwrap(), in_order);
    assert_eq!(read(vec![item(None, 0.0), item(None, 0.5)]).unwrap(), in_order);
    assert!(read(vec![item(Some(1), 0.0), item(Some(1), 0.5)]).is_err());
    assert!(read(vec![item(Some(1), 0.0), item(Some(2), 0.5)]).is_err());
}

proptest! {
    #[test]
    fn no_response_makes_it_panic(
        status in 100..1000u16,
        body in prop::collection::vec(any::<u8>(), 0..200),
        texts in 0..4usize,
    ) {
        for vendor in vendors() {
            let response = Response { status, headers: Vec::new(), body: body.clone() };
            prop_assert!(made(vendor, "m").read(&response, texts).is_err());
        }
    }
}
