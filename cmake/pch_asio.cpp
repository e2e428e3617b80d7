// Carries the precompiled header of the standard library and Asio.
