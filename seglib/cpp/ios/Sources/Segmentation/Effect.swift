import CoreImage
import CoreImage.CIFilterBuiltins

/// The frame with its background blurred, computed on the GPU.
func blurredBackground(of frame: CIImage, mask: CIImage, share: CGFloat = 0.025) -> CIImage {
    let area = frame.extent
    let large = mask.transformed(
        by: CGAffineTransform(
            scaleX: area.width / mask.extent.width, y: area.height / mask.extent.height))

    // The background alone: where the person is, nothing is left, not even black.
    let cut = CIFilter.blendWithMask()
    cut.inputImage = CIImage(color: .clear).cropped(to: area)
    cut.backgroundImage = frame
    cut.maskImage = large

    // Core Image blurs premultiplied colours together with their alpha. Dividing by the blurred
    // alpha is normalised convolution: the person does not glow into the background.
    let blurred = cut.outputImage!
        .clampedToExtent()
        .applyingGaussianBlur(sigma: share * min(area.width, area.height))
        .cropped(to: area)
        .unpremultiplyingAlpha()
        .settingAlphaOne(in: area)

    let blend = CIFilter.blendWithMask()
    blend.inputImage = frame
    blend.backgroundImage = blurred
    blend.maskImage = large
    return blend.outputImage!
}
