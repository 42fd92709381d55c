"""A Slack workspace: its Web API, Socket Mode, Block Kit rules, files and the people who use it.

===============  =========================================================================================
wire             Slack's errors and its text escaping
clock            strictly increasing timestamps; identifiers of Slack's shapes
settings         what can be tuned: delays, retry schedule, rate limits, scopes, subscriptions
entities         people, channels, messages, files, views
workspace        where all of them live, and how they are found
shapes           entities as Slack's JSON
keyboard         what a person's client makes of typed text: mentions, links, rich text
timeline         what happens in channels: post, edit, delete, react, join; the bot hears of it by events
sockets          Socket Mode: tickets, connections, envelopes, acknowledgements
events           the Events API: subscriptions, wrappers, redelivery
responses        ``response_url`` and its five uses
views            modals and Home tabs
actions          the element that is clicked; view_state: what every input holds
interactions     slash commands, buttons, shortcuts, submissions
files            uploads, late shares, private downloads
json_rules       checking JSON with Slack's sentences; block_elements and block_kit: its limits
calls            one Web API call, the tokens, the rate limits, the record of all calls
api              the Web API methods, a module for each family
slack            the whole, put together, with its routes and fault points
===============  =========================================================================================
"""
