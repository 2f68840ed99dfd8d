// From a small mask and a photo to a finished frame: the functions of seglib.postprocess that a
// portrait app needs, with the same names, formulas and defaults.
//
// Every function takes what it needs by reference, keeps nothing, and returns a new value.
#pragma once

#include "picture.h"

namespace seglib {

// Enlarges a small mask to the photo's size along the photo's edges (fast guided filter, He and
// Sun 2015). `radius`: half the window in pixels of the mask. `eps`: variance of the photo, whose
// values count from 0 to 1, below which there is no edge.
Mask guided_upsample(const Mask& mask, const Image& photo, int radius, float eps = 1e-3f);

// 0 below `low`, 1 above `high`, 3t^2 - 2t^3 between.
Mask smoothstep(const Mask& mask, float low = 0.3f, float high = 0.7f);

// The mask as seglib.postprocess.Pipeline hands it to its effects: enlarged along the photo's
// edges with a window of 1/20 of the mask's side, then the smoothstep above. Its clean-up of
// unsure blobs and holes is left out here.
Mask alpha(const Mask& mask, const Image& photo);

// Blurs what the mask (of the photo's size) does not cover, without smearing the person into it
// (normalised convolution). `sigma`: pixels of the photo.
Image blur_background(const Image& photo, const Mask& mask, double sigma);

// The photo with the old background taken out of half-covered pixels (blur fusion, Forte 2021).
Image estimate_foreground(const Image& photo, const Mask& mask, int reduce = 1);

// front * mask + back * (1 - mask), all of one size.
Image alpha_blend(const Image& front, const Image& back, const Mask& mask);

// Sets the person before another picture of any size, cropped to fill the frame. `foreground`:
// take the old background out of half-covered pixels first.
Image replace_background(const Image& photo, const Mask& mask, const Image& background,
                         bool foreground = true);

// Dyes what the mask covers in CIE Lab: colour from `color`, light and shade from the photo.
// `strength`: 0 to 1. `lift`: how far the hair's mean lightness follows the colour's, 0 to 1.
Image recolour_hair(const Image& photo, const Mask& mask, const std::uint8_t color[3],
                    float strength = 1.0f, float lift = 0.5f);

}  // namespace seglib
