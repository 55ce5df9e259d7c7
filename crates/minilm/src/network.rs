//! The network: BERT with 6 layers of width 384, mean over all tokens, length 1.
//!
//! Knows the names and shapes of the weights and the order of the layers; the arithmetic is elsewhere. Tokens
//! of many texts run through the linear layers together, but no number of one text ever meets a number of
//! another.

use crate::arithmetic::{Norm, gelu, unit};
use crate::attention::attend;
use crate::matrix::{Kernel, Linear, Rounded};
use crate::weights::{Damaged, Rows, Weights};
use crate::wordpiece::MAX_TOKENS;

pub(crate) const WIDTH: usize = 384;
const INNER: usize = 4 * WIDTH;
const LAYERS: usize = 6;

/// One layer of the network.
struct Layer {
    query_key_value: Linear,
    after_attention: Linear,
    attention_norm: Norm,
    widen: Linear,
    narrow: Linear,
    norm: Norm,
}

/// All layers, ready to run. The word table stays in the bytes it came from.
pub(crate) struct Network {
    words: Rows,
    positions: Rows,
    /// What is added to every token of a first (here: only) segment.
    segment: Vec<f32>,
    norm: Norm,
    layers: Vec<Layer>,
    kernel: Kernel,
}

impl Network {
    pub fn load(file: &'static [u8], kernel: Kernel) -> Result<Network, Damaged> {
        let weights = Weights::parse(file)?;
        let positions = weights.rows("embeddings.position_embeddings.weight", WIDTH)?;
        if positions.factors.len() < MAX_TOKENS {
            return Err(miscounted(
                "embeddings.position_embeddings.weight",
                positions.factors.len(),
                MAX_TOKENS,
            ));
        }
        let mut segment = weights.floats("embeddings.token_type_embeddings.weight", 2 * WIDTH)?;
        segment.truncate(WIDTH);
        Ok(Network {
            words: weights.rows("embeddings.word_embeddings.weight", WIDTH)?,
            positions,
            segment,
            norm: norm(&weights, "embeddings")?,
            layers: (0..LAYERS).map(|number| layer(&weights, number)).collect::<Result<_, _>>()?,
            kernel,
        })
    }

    /// How many words the word table has.
    pub fn words(&self) -> usize {
        self.words.factors.len()
    }

    /// One vector for each text; ids must lie in the word table, and a text has at most `MAX_TOKENS` of them.
    pub fn forward(&self, texts: &[Vec<u32>]) -> Vec<Vec<f32>> {
        let tokens: usize = texts.iter().map(Vec::len).sum();
        let mut x = Vec::with_capacity(tokens * WIDTH);
        for text in texts {
            text.iter().enumerate().for_each(|(position, id)| self.look_up(*id as usize, position, &mut x));
        }
        self.norm.apply(&mut x, &[]);
        let mut rows = vec![0.0; tokens * 3 * WIDTH];
        let mut mixed = vec![0.0; tokens * WIDTH];
        let mut inner = vec![0.0; tokens * INNER];
        for layer in &self.layers {
            layer.query_key_value.apply(&Rounded::new(&x, WIDTH), &mut rows, self.kernel);
            let (mut rows, mut out) = (rows.as_slice(), mixed.as_mut_slice());
            for text in texts {
                let (text_rows, later_rows) = rows.split_at(text.len() * 3 * WIDTH);
                let (text_out, later_out) = out.split_at_mut(text.len() * WIDTH);
                attend(text_rows, text_out);
                (rows, out) = (later_rows, later_out);
            }
            let rounded = Rounded::new(&mixed, WIDTH);
            layer.after_attention.apply(&rounded, &mut mixed, self.kernel);
            layer.attention_norm.apply(&mut x, &mixed);
            layer.widen.apply(&Rounded::new(&x, WIDTH), &mut inner, self.kernel);
            gelu(&mut inner);
            layer.narrow.apply(&Rounded::new(&inner, INNER), &mut mixed, self.kernel);
            layer.norm.apply(&mut x, &mixed);
        }
        pool(&x, texts)
    }

    fn look_up(&self, id: usize, position: usize, x: &mut Vec<f32>) {
        let word = &self.words.bytes[id * WIDTH..][..WIDTH];
        let place = &self.positions.bytes[position * WIDTH..][..WIDTH];
        let (word_factor, place_factor) = (self.words.factors[id], self.positions.factors[position]);
        x.extend(word.iter().zip(place).zip(&self.segment).map(|((word, place), segment)| {
            f32::from(word.cast_signed()) * word_factor
                + f32::from(place.cast_signed()) * place_factor
                + segment
        }));
    }
}

/// The mean of each text's tokens, as a vector of length 1 (so the mean's divisor falls out).
fn pool(mut x: &[f32], texts: &[Vec<u32>]) -> Vec<Vec<f32>> {
    let mut vectors = Vec::with_capacity(texts.len());
    for text in texts {
        let (rows, later) = x.split_at(text.len() * WIDTH);
        let mut vector = vec![0.0; WIDTH];
        for row in rows.chunks_exact(WIDTH) {
            vector.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        }
        unit(&mut vector);
        vectors.push(vector);
        x = later;
    }
    vectors
}

fn layer(weights: &Weights, number: usize) -> Result<Layer, Damaged> {
    let name = format!("encoder.layer.{number}");
    let part = |part: &str| format!("{name}.attention.self.{part}");
    let attention = [part("query"), part("key"), part("value")];
    Ok(Layer {
        query_key_value: linear(weights, &attention, WIDTH, WIDTH)?,
        after_attention: linear(weights, &[format!("{name}.attention.output.dense")], WIDTH, WIDTH)?,
        attention_norm: norm(weights, &format!("{name}.attention.output"))?,
        widen: linear(weights, &[format!("{name}.intermediate.dense")], WIDTH, INNER)?,
        narrow: linear(weights, &[format!("{name}.output.dense")], INNER, WIDTH)?,
        norm: norm(weights, &format!("{name}.output"))?,
    })
}

/// The layers `names`, side by side as one; each has `outputs` outputs.
fn linear(weights: &Weights, names: &[String], inputs: usize, outputs: usize) -> Result<Linear, Damaged> {
    let mut rows = Vec::new();
    let mut bias = Vec::new();
    for name in names {
        let weight = weights.rows(&format!("{name}.weight"), inputs)?;
        if weight.factors.len() != outputs {
            return Err(miscounted(name, weight.factors.len(), outputs));
        }
        rows.push(weight);
        bias.extend(weights.floats(&format!("{name}.bias"), outputs)?);
    }
    Ok(Linear::new(&rows, bias, inputs))
}

fn miscounted(part: &str, found: usize, expected: usize) -> Damaged {
    Damaged { part: part.to_owned(), found: format!("{found} rows"), expected: format!("{expected}") }
}

fn norm(weights: &Weights, name: &str) -> Result<Norm, Damaged> {
    let gain = weights.floats(&format!("{name}.LayerNorm.weight"), WIDTH)?;
    Ok(Norm { gain, shift: weights.floats(&format!("{name}.LayerNorm.bias"), WIDTH)? })
}
