// What botocore's S3SigV4Auth (1.29.27) signs for awkward keys: PUT with the body "hello" and a header whose blanks are
// to be squeezed, and a presigned GET of 900 s, at 2024-02-29T12:34:56Z, with and without a session token.
#pragma once

#include <array>

namespace backstay::s3 {

struct BotocoreVector {
    const char* key;
    int query;  // which of the queries in signer_test.cpp
    bool token;
    const char* signature;
    const char* presigned;
};

inline constexpr std::array<BotocoreVector, 30> kBotocoreVectors = {{
    {"plain", 0, false, "c6ebbfe07c6478d4c395ac8195b054583abb74a5fd41631292f52f64379ea1ab",
     "3bd2807e61518e69a134f93d51f6c3a85626f3d618788b94b445fc01fa568b37"},
    {"plain", 0, true, "cb97b48c3fb422b6f9fb0da0a9e119f1d2e070169dc188a865954fa688ba95fc",
     "e54dbd9f1ae9a31be4d1a00edd084f265869622412435fe74261d15a669a34ae"},
    {"a b/c+d", 1, false, "9d98d684dc9f0be428f7c519b0222c2d49beb75bf2b14b69b4e8f52c32ecf5be",
     "ce5158d1df89ae7ebb57678d8d7fdfe7fdeab27b6f3e4cbf20ba35f652ccc29c"},
    {"a b/c+d", 1, true, "e8fd9557ac3cbecaba8cd739648fb578f4da79df2db5b53ef0c8b6c28d621c6d",
     "c8b4e415c5dc98c3287408253758884c8101efbde3a509f42419a0897c767fc1"},
    {"a%20b", 2, false, "57ebf2404b70d479a5a2108500ce0ea4066f7df344f4d0ebc640a7677f91e2b8",
     "14d100637a2da5bf5ea3bae13187b5c6ad00067ad22a3cdca11ac3e7969d642d"},
    {"a%20b", 2, true, "0c3bfb44263c242797ac850162000399cfe6a36581f0947e6bf2ff362ec8e571",
     "b76391f444b4a032db4b8ae216e572024d41f50705c9da54d2b87c2d225f90d2"},
    {"a%2Fb", 3, false, "2ee32c0a04d961595c3531af70998da6a5adb2e4a680970b3e4b98989c688867",
     "4a70e30d6120afd0624ced829b36f45d96d80f27e79059852ee0d53f4c39646b"},
    {"a%2Fb", 3, true, "6acecb70a688ecdafc9ce30990924be71d9cc666a5d3f2638f3cc142f1cc0875",
     "a19c11ad21e2f36ba0408e6d4930f43a8beafa84d1edf7b4ea122a3aaf778f86"},
    {"q?x=1&y=2", 4, false, "c308044051ca07fc457cbbf477d9c3aeca60722b9acb879f630beee3e11b95cd",
     "0adf095cfc72fd6e34c8890f09a39428e7923cd4f40c7c16398d07ecdcefd7a5"},
    {"q?x=1&y=2", 4, true, "f7b02f9eb3658273f411f755ffc2b27667e310975c7e31ad9f0c66e48969926e",
     "c6e47d7bf48606f2bcaac1b84807d66aac264064a22b21d1b134fa9e3f4ba384"},
    {"h#frag", 0, false, "4bec01fc66de8817fcf96bbe0acfa361238523ec55f3baf825f5113c5e118f4a",
     "c1682e3a5f5383c406e74c68477ab53ea765d20bd2ede560aa478fdf67e8ac7f"},
    {"h#frag", 0, true, "4154875b2562d6434b28ed1e0b4d16defe0fa7ebab27b24e0a5b9a5f95c0a433",
     "b2bd0c0a21d637b1c684d478ed4c99eaa1d67711004d93551061c6bd8420881d"},
    {"tilde~-_.dot", 1, false, "ea6d6e4c1b041edd589172e433ce36dedd71b5898cad438240c4f71e56868a79",
     "00569a5f47d308b6ac5122616398621d32feee7fd246be17201009f9985e3777"},
    {"tilde~-_.dot", 1, true, "576554498f25d6a7840bb9791417ae10cb108372728c376f408e79d1a0ba3354",
     "a5d06100cb8d232b4b571b1e2cf0d9c74828627dc9ce110fa8948fa0440fafab"},
    {"(paren)!*'", 2, false, "03e5ed629f4a67106f87f2cb25a7ead8505deefc967d74af56fa75dced9d4f8a",
     "ea85977f1eb01c8468d4d6b419b240efa7b2d0aac08d7c5f8631fc298a5d810a"},
    {"(paren)!*'", 2, true, "b58977c76fe5b02b84ec56f4d616b193582464d241701810f81ac016c9875ca2",
     "ce54fa04f368cf6237820bc55b2a21b0e4bc93c59688c80ebd0c97946e6f2473"},
    {"at@:;,", 3, false, "f804430f617d581238406bbdc30cba2455d97e763f42a4e63f1b9683ca8c019c",
     "51a4311c5b0a71fb9dc3ecd1cf227d18f4360ef33bd95fec0115ddf09acf6c7e"},
    {"at@:;,", 3, true, "6a4b8e17001df0a7d1a3774041bbd8f6baa3fdecd3218eae6f041a103959c09a",
     "703bc7a9718c49301616f6da0cb650f1007a8787836eccf403239c31c001d6d2"},
    {"$=", 4, false, "f4789204c333d48f78f3280c8b6271f37919b9a660686ce56d1d36be69205938",
     "3646e401f600600ee762b5b71bfb0ddf049faea927c7126a2e5b565e09b97821"},
    {"$=", 4, true, "7488009ea56e42bb1ca6007a7811353bbaec97fa819de4bd2b5594d0993367dc",
     "7042b5976591eb23328baadb639d4bfbf5ec1aaa11b184dd0f43b21be428897e"},
    {"\"quoted\"", 0, false, "e8719c76d2f3df28de50fdffd40486fe368857af917fc05449798688d7d45162",
     "cb84074f6e7e4bccf53abab20d704adcf635cd460d4a918ac45b2b367435a1a3"},
    {"\"quoted\"", 0, true, "d12b45de48f0f316bdd0bde421a258d2227b527dd537fb1e5ad606361671d7eb",
     "97830f05deb436f7e00b7fddd17d663709b466ccf987214c4e3bc1218060d15f"},
    {"<x>&y", 1, false, "701c4f4348ed941ad742b53686511a32be72f89a5c2d26cf19efa0df980e6008",
     "52b13982092f9f16fdeaedf0130a613e6d7ea1ad86dcec9294d423d57ea23b3a"},
    {"<x>&y", 1, true, "b30b7e272b481575b4cd2e501fea09a0759de0616136f0521095545f2f79fad5",
     "5a31da5bd916d43b1252c73a3d5806977c99e93c37761adfd018c250b1f00e1c"},
    {"café/€", 2, false, "b3d2cd95741b5c1ec7d4464619f1f3d8ed507bf4b5477d93b42cc27b5f99ebae",
     "ab6feb0512f0088e879a7350d26070edadee1f39b73f72c4f1469aa20533ede0"},
    {"café/€", 2, true, "92d878719d76abbee4511a1905e9dc302013ca5f3551dedf656d0530c70cabe3",
     "9fd3c7380b66e511c419b1cc43398dd75d5aa8c639040e3a118452a1e4301545"},
    {"🐘", 3, false, "c205cb3def0068647f928eb3ab8cec78378b2e47aa82fd911baae7c9c3019437",
     "6d477fd57b45e56be6f71952e9444dae060f4c1a4020f8305c7ec405adb0fa3e"},
    {"🐘", 3, true, "946ccfd7c3d1a76358e3d3d0f8f3853210fe27e4397f353163223cca548699d3",
     "a455a1437df86aa271d9123dbca9663b4eeaad2bfc5fcab6da86883a70bc20a4"},
    {"[br]{ace}|^`", 4, false, "24ce81c19812c6cd77584a372c6fdf139f6424fc025590d9b0bb4d5c6c4d6b06",
     "3c3554a9ab4c8b2f13e168cf5164efe4ca34be0dd4c8cbc2f40a02f4d99b8e14"},
    {"[br]{ace}|^`", 4, true, "bc13fffc1cce7576fafb615459de5bd34b8e1158ccea05b614eb8dd38c425b4b",
     "510e7f32cf3cbc02b308f6e2882372a0c2b7935cb72aedc39b81972b5096cdff"},
}};

}  // namespace backstay::s3
