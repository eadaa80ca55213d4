using System.Runtime.InteropServices;
using Dori.Native;
using Dori.Pictures;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Measures;

/// <summary>
/// A copy detector from a TorchScript file: the official SSCD's and the built-in model's alike.
/// TorchScript is a program: load only files whose origin is known, and compare <see cref="Sha256"/>.
/// </summary>
public sealed class TorchScriptCopyDetector : ICopyDetector, IDisposable
{
    private const string PresetFile = "preset.json", ModelFolder = "copy_detector";
    private const string Wanted =
        "a copy detector is TorchScript: of SSCD's files take sscd_disc_mixup.torchscript.pt (with `Preset` nemo)";
    private const float Slack = 1e-3f; // rounding of half precision
    private readonly jit.ScriptModule<Tensor, Tensor> _module;
    private readonly Device _device;

    private TorchScriptCopyDetector(CopyDetectorPreset preset, string sha256, jit.ScriptModule<Tensor, Tensor> module, Device device)
    {
        Preset = preset;
        Sha256 = sha256;
        _module = module;
        _device = device;
    }

    public CopyDetectorPreset Preset { get; }

    public string Sha256 { get; }

    /// <summary>Loads a detector and tries it on one picture.</summary>
    /// <param name="path">
    /// A model's folder (its <c>copy_detector/preset.json</c> says the rest), a copy detector's own folder, or a TorchScript file.
    /// </param>
    /// <param name="presetName"> With a file: a shipped preset (<see cref="CopyDetectorPreset.Shipped"/>); null: the <c>.json</c> beside
    /// the file, <c>model.json</c> for <c>model.pt</c>, or the shipped preset that is meant for a file of this name. With a folder: null.
    /// </param>
    /// <param name="device">Where to compute; the CPU where null.</param>
    /// <exception cref="DoriException">Something is missing or does not fit.</exception>
    public static TorchScriptCopyDetector Load(string path, string? presetName = null, Device? device = null)
    {
        NativeLibraries.Check();
        (string file, CopyDetectorPreset preset) = Directory.Exists(path) ? InFolder(path, presetName) : NamedFile(path, presetName);
        device = Devices.ForScripts(device ?? CPU);
        (jit.ScriptModule<Tensor, Tensor> module, string sha256) = TorchScriptFile.Load(file, Wanted, device);
        var detector = new TorchScriptCopyDetector(preset, sha256, module, device);
        try
        {
            using Tensor grey = full([1, 3, 64, 64], TensorMath.Kept(0.5));
            detector.Describe(grey).Dispose();
            return detector;
        }
        catch
        {
            detector.Dispose();
            throw;
        }
    }

    public Tensor Describe(Tensor pictures)
    {
        if (pictures.dim() != 4 || pictures.shape[1] != 3 || pictures.numel() == 0)
            throw new ArgumentException($"(N, 3, H, W) pictures are wanted, not ({string.Join(", ", pictures.shape)}).", nameof(pictures));
        using var scope = NewDisposeScope(); // per thread, as no_grad is
        using var noGrad = no_grad();
        Tensor x = pictures.detach().to(_device).to(float32);
        // The VAE's [-1, 1] would give descriptors too, only dissimilar ones: copies would pass for clean.
        if (x.min().item<float>() < -Slack || x.max().item<float>() > 1 + Slack)
            throw new ArgumentException("Pictures in [0, 1] are wanted; bring the VAE's [-1, 1] there and clamp.", nameof(pictures));
        x = Resized(x); // (N, 3, h, w)
        x = (x - PerChannel(Preset.Mean)) / PerChannel(Preset.Std);
        // No lock: TorchScript's executor may be entered by several threads, and the module's weights never change.
        Tensor descriptors;
        try
        {
            descriptors = _module.call(x);
        }
        catch (Exception e) when (e is ExternalException or InvalidOperationException or InvalidCastException)
        {
            throw new DoriException(
                $"copy detector {Preset.Name}: fails on pictures of {x.shape[2]} x {x.shape[3]}; the preset does not fit the file, or it "
                + $"is no copy detector: {FirstLine(e)}", e);
        }
        if (descriptors is null || descriptors.dim() != 2 || descriptors.shape[0] != x.shape[0] || descriptors.shape[1] != Preset.Dimension)
            throw new DoriException(
                $"copy detector {Preset.Name}: gives ({(descriptors is null ? "nothing" : string.Join(", ", descriptors.shape))}) for "
                + $"{x.shape[0]} pictures where the preset says {Preset.Dimension} values each; the preset does not fit the file");
        descriptors = descriptors.to(float32).cpu();
        // Also where a value is not a number: such a similarity would pass for "no copy".
        float off = descriptors.norm(1).Minus(1).abs().max().item<float>();
        if (!(off < 1e-3f))
            throw new DoriException(
                $"copy detector {Preset.Name}: gives vectors whose length is not 1 (off by {off:g3}); not a copy detector's descriptors, "
                + $"or the picture holds values that are not numbers");
        return descriptors.MoveToOuterDisposeScope();
    }

    public void Dispose() => _module.Dispose();

    private Tensor Resized(Tensor pictures)
    {
        if (Preset.Resize == CopyDetectorResize.Squash) return Picture.Resize(pictures, Preset.Size[0], Preset.Size[1]);
        int edge = Preset.SmallEdge > 0 ? Preset.SmallEdge : Preset.Size.Min();
        return Preset.Resize == CopyDetectorResize.SmallEdge ? Picture.ResizeSmallEdge(pictures, edge)
            : Picture.ResizeAndCrop(pictures, edge, Preset.Size[0], Preset.Size[1]);
    }

    private Tensor PerChannel(IReadOnlyList<float> values) => tensor(values.ToArray(), [1, 3, 1, 1]).to(_device);

    private static (string File, CopyDetectorPreset Preset) InFolder(string folder, string? presetName)
    {
        string own = Path.Combine(folder, ModelFolder);
        string place = File.Exists(Path.Combine(own, PresetFile)) ? own : folder;
        string presetPath = Path.Combine(place, PresetFile);
        if (!File.Exists(presetPath))
            throw new DoriException(
                $"{folder}: holds no copy detector ({ModelFolder}/{PresetFile}); name a TorchScript file, such as SSCD's "
                + $"sscd_disc_mixup.torchscript.pt");
        if (presetName is not null)
            throw new DoriException(
                $"{presetPath}: this folder's copy detector has its own preset; \"{presetName}\" goes with a TorchScript file");
        CopyDetectorPreset preset = CopyDetectorPreset.Read(presetPath);
        return (Path.Combine(place, preset.File), preset);
    }

    private static (string File, CopyDetectorPreset Preset) NamedFile(string file, string? presetName)
    {
        if (!File.Exists(file)) throw new DoriException($"{file}: no such copy detector, neither a file nor a folder");
        if (presetName is not null) return (file, CopyDetectorPreset.Named(presetName));
        string beside = Path.ChangeExtension(file, ".json");
        if (File.Exists(beside)) return (file, CopyDetectorPreset.Read(beside));
        CopyDetectorPreset? shipped = CopyDetectorPreset.Shipped.FirstOrDefault(preset => preset.File == Path.GetFileName(file));
        if (shipped is not null) return (file, shipped);
        throw new DoriException(
            $"{file}: how are pictures brought to this copy detector? Name a preset "
            + $"({string.Join(", ", CopyDetectorPreset.Shipped.Select(p => p.Name))}) or put one beside it as {Path.GetFileName(beside)}");
    }

    private static string FirstLine(Exception e) =>
        e.Message.Split('\n').Select(line => line.Trim()).LastOrDefault(line => line.Length > 0) ?? "";
}
