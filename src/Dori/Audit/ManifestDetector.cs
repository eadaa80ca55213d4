namespace Dori.Audit;

/// <param name="TransformSha256">Of how pictures are brought to it; empty in manifests of older versions.</param>
internal sealed record ManifestDetector(string Name, string Sha256, double Threshold, string TransformSha256 = "");
