//! `tags`: words that policies may ask for, put to people.

use clap::{Args, Subcommand};
use serde_json::json;

use super::reach::{self, Reached, WriteArgs};
use super::{Context, print_json, refused, text, wait_for};
use crate::gate::{TagsChange, TagsView};

/// Commands about tags.
#[derive(Debug, Subcommand)]
pub(super) enum TagsCommand {
    /// Show the tags of somebody
    #[command(after_help = "\
Examples:
  bookgate tags show ada@example.org
  bookgate tags show ada@example.org --json | jq -r '.tags[]'")]
    Show(ShowArgs),
    /// Put tags to somebody, with or without an account
    #[command(after_help = "\
Examples:
  bookgate tags add ada@example.org vip
  bookgate tags add ada@example.org vip board

A policy asks for them with a criterion of kind = \"tag\". What is there
already is added anew: its age begins again. Who has verified an address puts
email-verified to it (kind = \"verified-email\"). A running daemon wants a token with the role admin.")]
    Add(ChangeArgs),
    /// Take tags away
    #[command(after_help = "\
Examples:
  bookgate tags remove ada@example.org vip

Bookings that were decided stay as they are.")]
    Remove(ChangeArgs),
}

/// What `tags show` takes.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// The person's e-mail address
    owner: String,
}

/// What `tags add` and `tags remove` take.
#[derive(Debug, Args)]
pub(super) struct ChangeArgs {
    /// The person's e-mail address
    owner: String,
    /// Lower-case letters, digits and hyphens, such as vip
    #[arg(required = true)]
    tags: Vec<String>,
    #[command(flatten)]
    place: WriteArgs,
}

/// Runs one of the commands.
pub(super) fn run(
    command: &TagsCommand,
    json: bool,
    context: &mut Context<'_>,
) -> anyhow::Result<()> {
    let view = match command {
        TagsCommand::Show(args) => reach::read(context, async |desk| desk.tags(&args.owner).await)?,
        TagsCommand::Add(args) => wait_for(change(args, &args.tags, &[], context))?,
        TagsCommand::Remove(args) => wait_for(change(args, &[], &args.tags, context))?,
    };
    if json {
        return print_json(&view, context);
    }
    let tags = match view.tags.is_empty() {
        true => "no tags".to_owned(),
        false => view.tags.join(", "),
    };
    let owner = text::plain(view.owner.as_str());
    writeln!(context.out, "{owner}: {}", text::plain(&tags))?;
    Ok(())
}

async fn change(
    args: &ChangeArgs,
    add: &[String],
    remove: &[String],
    context: &Context<'_>,
) -> anyhow::Result<TagsView> {
    match reach::to_write(&args.place, context).await? {
        Reached::Store(store) => {
            let change = TagsChange {
                owner: args.owner.clone(),
                add: add.to_vec(),
                remove: remove.to_vec(),
                actor: store.actor.clone(),
            };
            let view = store.desk.change_tags(change).await;
            store.close().await;
            view.map_err(refused)
        }
        Reached::Daemon(endpoint) => {
            let path = ["v1", "accounts", &args.owner, "tags"];
            let body = json!({"add": add, "remove": remove});
            let answer = endpoint.post(&path, None, Some(&body)).await?;
            Ok(serde_json::from_value(answer.body)?)
        }
    }
}
