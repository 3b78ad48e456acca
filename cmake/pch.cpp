// The one translation unit that makes the precompiled header exist; it defines nothing.
