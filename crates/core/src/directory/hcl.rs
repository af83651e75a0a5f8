//! Blocks and values in HCL.

use hcl_edit::Span;
use hcl_edit::parser::{Error as ParseError, parse_body, parse_expr};
use hcl_edit::structure::{Block, Body, Structure};

use crate::config::{Origin, Setting, Sourced};
use crate::directory::block::{
    BlockBody, Declaration, DeclarationKind, is_around_settings, whole_block,
};
use crate::directory::evaluate::evaluate;
use crate::directory::source::SourceText;
use crate::error::{Error, Result};

/// Returns the backends that a Terraform file declares.
pub(super) fn declarations(source: &SourceText) -> Result<Vec<Declaration>> {
    // Most files of a directory declare no backend. This library does not check them: a state must
    // stay accessible while the user edits an unrelated file.
    if !source.text().contains("backend") && !source.text().contains("cloud") {
        return Ok(Vec::new());
    }
    let body = parse(source)?;
    let mut declarations = Vec::new();
    for terraform in body.get_blocks("terraform") {
        collect(source, &terraform.body, &mut declarations)?;
    }
    Ok(declarations)
}

/// Returns the backends of a file that holds only `backend` blocks.
pub(super) fn bare_declarations(source: &SourceText) -> Result<Vec<Declaration>> {
    let body = parse(source)?;
    for structure in &body {
        let (name, place) = match structure {
            Structure::Block(block) if block.has_ident("backend") => continue,
            Structure::Block(block) => (block.ident.as_str(), block.span()),
            Structure::Attribute(attribute) => (attribute.key.as_str(), attribute.span()),
        };
        return Err(Error::config(format!(
            "`{name}` does not belong in `{}`",
            source.path.display()
        ))
        .with_context("found in", source.origin(place.map_or(0, |span| span.start)))
        .with_hint("the file holds one block, `backend \"TYPE\" { … }`"));
    }
    let mut declarations = Vec::new();
    collect(source, &body, &mut declarations)?;
    Ok(declarations)
}

/// Returns the settings of a file that holds the contents of a `backend` block.
pub(super) fn settings(source: &SourceText) -> Result<BlockBody> {
    let body = parse(source)?;
    if let Some(block) = body.blocks().find(|block| is_around_settings(block.ident.as_str())) {
        return Err(whole_block(block.ident.as_str(), &place(source, block)));
    }
    block_body(source, &body)
}

/// Evaluates a text that is one expression, such as the value of a command-line option.
pub(super) fn expression(source: &SourceText) -> Result<Setting> {
    let expression = parse_expr(source.text()).map_err(|error| unreadable(source, &error))?;
    evaluate(source, &expression)
}

fn parse(source: &SourceText) -> Result<Body> {
    parse_body(source.text()).map_err(|error| unreadable(source, &error))
}

/// Keeps the parser's position and reason; its `Display` would quote the line, which may hold a
/// secret.
fn unreadable(source: &SourceText, error: &ParseError) -> Error {
    if error.message().contains("redefined") {
        let rest = source.text().get(error.location().offset()..).unwrap_or_default();
        let name: String =
            rest.chars().take_while(|c| c.is_alphanumeric() || "-_".contains(*c)).collect();
        return Error::config(format!("`{name}` is set twice"))
            .with_context("set in", Origin::file(&source.path, error.location().line()))
            .with_hint("keep one of the two");
    }
    source.unreadable(error.location().line(), error.location().column(), error.message())
}

fn collect(source: &SourceText, body: &Body, declarations: &mut Vec<Declaration>) -> Result<()> {
    for block in body.blocks() {
        let kind = match block.ident.as_str() {
            "backend" => {
                let [label] = block.labels.as_slice() else {
                    return Err(Error::config("a `backend` block has exactly one label, its type")
                        .with_context("found in", place(source, block))
                        .with_hint("write it as `backend \"TYPE\" { … }`"));
                };
                DeclarationKind::Backend {
                    name: label.as_str().to_owned(),
                    body: block_body(source, &block.body)?,
                }
            }
            "cloud" => DeclarationKind::Cloud,
            _ => continue,
        };
        declarations.push(Declaration { origin: place(source, block), kind });
    }
    Ok(())
}

fn block_body(source: &SourceText, body: &Body) -> Result<BlockBody> {
    let mut found = BlockBody::default();
    for structure in body {
        match structure {
            Structure::Attribute(attribute) => {
                let origin = source.origin(attribute.span().map_or(0, |span| span.start));
                let name = attribute.key.as_str();
                let value = evaluate(source, &attribute.value)
                    .map_err(|error| error.with_context("value of", format_args!("`{name}`")))?;
                found.attributes.push((name.to_owned(), Sourced::new(value, origin)));
            }
            Structure::Block(block) => {
                let inner = block_body(source, &block.body)?;
                if let Some((name, origin, _)) = inner.blocks.into_iter().next() {
                    return Err(super::block::unsupported_block(&name, &origin));
                }
                found.blocks.push((
                    block.ident.as_str().to_owned(),
                    place(source, block),
                    inner.attributes,
                ));
            }
        }
    }
    Ok(found)
}

fn place(source: &SourceText, block: &Block) -> Origin {
    source.origin(block.span().map_or(0, |span| span.start))
}
