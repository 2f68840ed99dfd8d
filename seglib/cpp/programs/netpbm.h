// Picture files that need no library: PPM for photos, PFM for masks.
#pragma once

#include <string>

#include "picture.h"

namespace seglib {

// A binary PPM (P6) of 8 bits. Throws Error where the file is missing, cut short or another thing.
Image read_ppm(const std::string& path);

// A grey PFM (Pf): floats, rows from the bottom. Little-endian files only.
Mask read_pfm(const std::string& path);

// Both write beside the target and rename, so that a file is whole or not there.
void write_ppm(const std::string& path, const Image& image);
void write_pfm(const std::string& path, const Mask& mask);

}  // namespace seglib
