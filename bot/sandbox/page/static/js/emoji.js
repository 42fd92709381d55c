/** Emoji names of Slack and their characters: those that this app and its people use. Others stay `:names:`. */

/** The app's gestures, first in the picker. */
export const GESTURES = ["rocket", "repeat", "fast_forward", "x", "clapper"];

/** @type {Record<string, string>} what a gesture does */
export const GESTURE_WORDS = {
  rocket: "render the final",
  repeat: "another take",
  fast_forward: "next shot",
  x: "cancel",
  clapper: "animate this",
};

const TABLE = `
rocket 🚀 repeat 🔁 fast_forward ⏩ x ❌ clapper 🎬 +1 👍 thumbsup 👍 -1 👎 thumbsdown 👎 heart ❤️ fire 🔥 eyes 👀 tada 🎉
white_check_mark ✅ heavy_check_mark ✔️ raised_hands 🙌 clap 👏 pray 🙏 ok_hand 👌 wave 👋 muscle 💪 point_up ☝️
point_right 👉 point_left 👈 point_down 👇 smile 😄 smiley 😃 grin 😁 joy 😂 rolling_on_the_floor_laughing 🤣 slightly_smiling_face 🙂
wink 😉 blush 😊 heart_eyes 😍 kissing_heart 😘 thinking_face 🤔 neutral_face 😐 unamused 😒 sweat_smile 😅 sob 😭 cry 😢
scream 😱 angry 😠 rage 😡 sunglasses 😎 star-struck 🤩 partying_face 🥳 exploding_head 🤯 sleeping 😴 confused 😕
upside_down_face 🙃 face_with_rolling_eyes 🙄 shrug 🤷 facepalm 🤦 see_no_evil 🙈 skull 💀 ghost 👻 robot_face 🤖 alien 👽
one 1️⃣ two 2️⃣ three 3️⃣ four 4️⃣ five 5️⃣ six 6️⃣ seven 7️⃣ eight 8️⃣ nine 9️⃣ keycap_ten 🔟 zero 0️⃣ hash #️⃣
100 💯 star ⭐ star2 🌟 sparkles ✨ zap ⚡ boom 💥 collision 💥 rainbow 🌈 sunny ☀️ moon 🌔 snowflake ❄️ ocean 🌊 surfer 🏄 panda_face 🐼
cat 🐱 dog 🐶 fox_face 🦊 bear 🐻 unicorn_face 🦄 bee 🐝 butterfly 🦋 tree 🌳 rose 🌹 seedling 🌱 coffee ☕ tea 🍵 beer 🍺 wine_glass 🍷
pizza 🍕 cake 🍰 apple 🍎 cookie 🍪 popcorn 🍿 gift 🎁 balloon 🎈 trophy 🏆 medal 🏅 first_place_medal 🥇 crown 👑 gem 💎
movie_camera 🎥 camera 📷 video_camera 📹 film_frames 🎞️ film_projector 📽️ cinema 🎦 tv 📺 art 🎨 frame_with_picture 🖼️ microphone 🎤
headphones 🎧 musical_note 🎵 sound 🔉 mute 🔇 speaker 🔈 bell 🔔 no_bell 🔕 bulb 💡 mag 🔍 lock 🔒 unlock 🔓 key 🔑
hammer 🔨 wrench 🔧 gear ⚙️ scissors ✂️ paperclip 📎 link 🔗 pushpin 📌 memo 📝 pencil2 ✏️ clipboard 📋 file_folder 📁 calendar 📅
chart_with_upwards_trend 📈 moneybag 💰 dollar 💵 credit_card 💳 receipt 🧾 hourglass ⌛ hourglass_flowing_sand ⏳ stopwatch ⏱️ alarm_clock ⏰
clock1 🕐 warning ⚠️ no_entry ⛔ no_entry_sign 🚫 stop_sign 🛑 octagonal_sign 🛑 rotating_light 🚨 question ❓ exclamation ❗ bangbang ‼️
heavy_plus_sign ➕ heavy_minus_sign ➖ arrow_up ⬆️ arrow_down ⬇️ arrow_left ⬅️ arrow_right ➡️ leftwards_arrow_with_hook ↩️ arrows_counterclockwise 🔄
recycle ♻️ back 🔙 arrow_forward ▶️ rewind ⏪ black_square_for_stop ⏹️ double_vertical_bar ⏸️ red_circle 🔴 large_yellow_circle 🟡
large_green_circle 🟢 large_blue_circle 🔵 white_circle ⚪ black_circle ⚫ large_orange_circle 🟠 speech_balloon 💬 thought_balloon 💭 email 📧 inbox_tray 📥
outbox_tray 📤 package 📦 house 🏠 office 🏢 car 🚗 airplane ✈️ ship 🚢 bike 🚲 earth_africa 🌍 globe_with_meridians 🌐 flag-us 🇺🇸
checkered_flag 🏁 white_flag 🏳️ soccer ⚽ dart 🎯 game_die 🎲 jigsaw 🧩 magic_wand 🪄 test_tube 🧪 microscope 🔬 satellite 🛰️ shopping_bags 🛍️
lipstick 💄 dress 👗 athletic_shoe 👟 watch ⌚ iphone 📱 computer 💻 keyboard ⌨️ desktop_computer 🖥️ floppy_disk 💾 cd 💿 broom 🧹 construction 🚧
`;

/** @type {Map<string, string>} */
const CHARACTERS = new Map();
const words = TABLE.trim().split(/\s+/);
for (let at = 0; at + 1 < words.length; at += 2) CHARACTERS.set(words[at], words[at + 1]);

/** @param {string} name without colons; a skin tone is left out */
export function character(name) {
  return CHARACTERS.get(name.replace(/::skin-tone-\d$/, ""));
}

/**
 * Names that contain a word, the app's gestures first.
 * @param {string} word
 * @param {number} most
 */
export function named(word, most = 400) {
  const rest = [...CHARACTERS.keys()].filter((name) => !GESTURES.includes(name));
  return [...GESTURES, ...rest].filter((name) => name.includes(word.toLowerCase())).slice(0, most);
}

/** @param {string} name an emoji as text: its character, or its name between colons */
export function drawn(name) {
  return character(name) ?? `:${name}:`;
}
