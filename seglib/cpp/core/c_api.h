/* The core for other languages: Swift reads this header, Kotlin reaches it through the JNI.
 *
 * Pictures are RGB bytes, masks floats from 0 to 1, both row by row from the top without gaps. The
 * caller owns every buffer; nothing is kept after a call. A function returns 0, or -1 after a
 * mistake that seglib_error() then explains in one sentence.
 */
#ifndef SEGLIB_C_API_H_
#define SEGLIB_C_API_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  const uint8_t* rgb;
  int height, width;
} seglib_image;

typedef struct {
  const float* values;
  int height, width;
} seglib_mask;

/* The last mistake on this thread; empty where there was none. */
const char* seglib_error(void);

/* A photo as a network of height x width pixels reads it: black is `low`, white is `high`. */
int seglib_prepare(seglib_image photo, float low, float high, int height, int width,
                   float* input);

/* The network's small mask, enlarged along the photo's edges and firmed up; as large as the
 * photo. */
int seglib_alpha(seglib_mask mask, seglib_image photo, float* alpha);

/* The photo with its background blurred by `share` of its shorter side. `alpha` is as large as the
 * photo, in these three functions; `frame` is too, three bytes a pixel. */
int seglib_blur(seglib_image photo, seglib_mask alpha, float share, uint8_t* frame);

/* The person before another picture of any size. */
int seglib_replace(seglib_image photo, seglib_mask alpha, seglib_image scene, uint8_t* frame);

/* The hair in another colour; strength and lift go from 0 to 1, see recolour_hair in effects.h. */
int seglib_recolour(seglib_image photo, seglib_mask alpha, const uint8_t color[3], float strength,
                    float lift, uint8_t* frame);

#ifdef __cplusplus
}
#endif

#endif /* SEGLIB_C_API_H_ */
