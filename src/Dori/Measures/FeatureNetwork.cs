using System.Runtime.InteropServices;
using Dori.Native;
using Dori.Pictures;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Measures;

/// <summary>
/// What Frechet and kernel distances look at pictures through: a TorchScript file of the user's (Inception-v3's pool makes them FID and
/// KID), or a copy detector's descriptors. Every figure carries <see cref="Name"/>. Usable from several threads at once.
/// </summary>
internal sealed class FeatureNetwork : IDisposable
{
    private readonly Func<Tensor, Tensor> _describe;
    private readonly IDisposable? _owned;

    private FeatureNetwork(string name, string sha256, int dimension, Func<Tensor, Tensor> describe, IDisposable? owned) =>
        (Name, Sha256, Dimension, _describe, _owned) = (name, sha256, dimension, describe, owned);

    public string Name { get; }
    /// <summary>Of its file, lower-case hexadecimal.</summary>
    public string Sha256 { get; }
    /// <summary>D: values of a feature vector.</summary>
    public int Dimension { get; }

    /// <summary>A copy detector's descriptors as features: for models whose pictures no published network has seen. The detector stays the
    /// caller's.</summary>
    public static FeatureNetwork Of(ICopyDetector detector) =>
        new($"{detector.Preset.Name} descriptors", detector.Sha256, detector.Preset.Dimension, detector.Describe, null);

    /// <summary>Loads a TorchScript network and tries it on one picture. TorchScript is a program: load only files whose origin is
    /// known.</summary>
    /// <param name="file">With its preset beside it: <c>NAME.json</c> for <c>NAME.pt</c>.</param>
    /// <exception cref="DoriException">Something is missing or does not fit.</exception>
    public static FeatureNetwork Load(string file, Device? device = null)
    {
        if (!File.Exists(file)) throw new DoriException($"{file}: no such feature network; a TorchScript file is wanted");
        string beside = Path.ChangeExtension(file, ".json");
        if (!File.Exists(beside))
            throw new DoriException(
            $"{file}: how are pictures brought to this network? Say it in {Path.GetFileName(beside)} beside it: name, size, resize, mean, "
            + $"std, dimension");
        FeatureNetworkPreset preset = FeatureNetworkPreset.Read(beside);
        Device place = Devices.ForScripts(device ?? CPU);
        const string wanted = "a feature network is TorchScript, as torch.jit.save writes it";
        (jit.ScriptModule<Tensor, Tensor> module, string sha256) = TorchScriptFile.Load(file, wanted, place);
        var network = new FeatureNetwork(preset.Name, sha256, preset.Dimension, pictures => Call(module, preset, place, pictures), module);
        try
        {
            using Tensor grey = full([1, 3, 64, 64], TensorMath.Kept(0.5), float32);
            network.Describe(grey).Dispose();
            return network;
        }
        catch
        {
            network.Dispose();
            throw;
        }
    }

    /// <param name="pictures">(N, 3, H, W) in [0, 1]</param>
    /// <returns>(N, D) float32, finite, on the CPU.</returns>
    /// <exception cref="DoriException">The network fails, or gives something else than that.</exception>
    public Tensor Describe(Tensor pictures)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Tensor features = _describe(pictures).to(float32).cpu();
        if (!features.isfinite().all().item<bool>())
            throw new DoriException(
            $"feature network {Name}: gives values that are not finite numbers; the network or the pictures are broken");
        return features.MoveToOuterDisposeScope();
    }

    public void Dispose() => _owned?.Dispose();

    private static Tensor Call(jit.ScriptModule<Tensor, Tensor> module, FeatureNetworkPreset preset, Device device, Tensor pictures)
    {
        using var scope = NewDisposeScope();
        Tensor x = pictures.detach().to(device).to(float32);
        (int height, int width) = (preset.Size[0], preset.Size[1]);
        x = preset.Resize == CopyDetectorResize.Squash ? Picture.Resize(x, height, width, preset.Filter)
            : Picture.ResizeAndCrop(x, height, height, width, preset.Filter);
        x = x.Clamp(0, 1).Plus(PerChannel(preset.Mean), -1) / PerChannel(preset.Std);
        Tensor? features;
        try
        {
            features = module.call(x);
        }
        catch (Exception e) when (e is ExternalException or InvalidOperationException or InvalidCastException)
        {
            throw new DoriException(
                $"feature network {preset.Name}: fails on pictures of {height} x {width}; the preset does not fit the file: "
                + $"{e.Message.Split('\n').Select(line => line.Trim()).LastOrDefault(line => line.Length > 0)}", e);
        }
        // a pool that kept its 1 x 1
        if (features is not null && features.dim() == 4 && features.shape[2..].All(side => side == 1)) features = features.flatten(1);
        if (features is null || !features.shape.SequenceEqual([x.shape[0], preset.Dimension]))
            throw new DoriException(
                $"feature network {preset.Name}: gives ({(features is null ? "nothing" : string.Join(", ", features.shape))}) for "
                + $"{x.shape[0]} pictures where the preset says {preset.Dimension} values each; the preset does not fit the file");
        return features.MoveToOuterDisposeScope();

        Tensor PerChannel(IReadOnlyList<float> values) => tensor(values.ToArray(), [1, 3, 1, 1]).to(device);
    }
}
