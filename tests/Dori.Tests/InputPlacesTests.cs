using Dori.Audit;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Mitigation;
using Dori.Models;
using Dori.Pictures;
using Dori.Tests.Support;

namespace Dori.Tests;

/// <summary>
/// A FIFO or a device, at every place where a file is opened, is refused at once: opening the one waits, reading the other never ends.
/// </summary>
public sealed class InputPlacesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-places").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Which file is replaced, and what opens it.</summary>
    public static TheoryData<string, string> Places { get; } = new()
    {
        { "model_index.json", "model" }, { "unet/config.json", "model" }, { "vae/config.json", "model" },
        { "text_encoder/config.json", "model" },
        { "scheduler/scheduler_config.json", "model" }, { "tokenizer/vocab.json", "load" }, { "tokenizer/merges.txt", "load" },
        { "tokenizer/tokenizer_config.json", "load" }, { "tokenizer/special_tokens_map.json", "load" },
        { "unet/diffusion_pytorch_model.safetensors", "load" }, { "vae/diffusion_pytorch_model.safetensors", "load" },
        { "text_encoder/model.safetensors", "load" }, { "dori.json", "defaults" }, { "mitigation.json", "pruning" },
        { "copy_detector/preset.json", "detector" }, { "copy_detector/model.pt", "detector" },
        { "pictures/metadata.csv", "pictures" }, { "pictures/control-00.png", "pictures" }, { "pictures/control-00.png", "picture" },
        { "ordinary.tar", "tar" }, { "run/manifest.json", "manifest" },
    };

    [Theory, MemberData(nameof(Places))]
    public async Task A_FIFO_or_a_device_is_refused_at_once(string file, string opener)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "FIFOs and devices");
        Model();
        Write("run/manifest.json");
        string path = Path.Combine(_folder, file);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        foreach (bool isFifo in new[] { true, false })
        {
            File.Delete(path);
            if (isFifo) Fifo.Make(path);
            else File.CreateSymbolicLink(path, "/dev/zero");
            var e = await Assert.ThrowsAsync<DoriException>(() => Task.Run(() => Open(opener, path)).WaitAsync(TimeSpan.FromSeconds(60)));
            Assert.Contains(path, e.Message, StringComparison.Ordinal);
            Assert.Contains(isFifo ? "FIFO" : opener == "manifest" ? "a link" : "device", e.Message, StringComparison.Ordinal);
        }
    }

    private void Open(string opener, string path)
    {
        switch (opener)
        {
            case "model": DiffusersFolder.Open(_folder); break;
            case "load": DiffusionModel.Load(_folder).Dispose(); break;
            case "defaults": ModelDefaults.Read(_folder); break;
            case "pruning": PruningRecord.Read(_folder); break;
            case "detector": TorchScriptCopyDetector.Load(_folder).Dispose(); break;
            case "pictures": PictureSet.Load(Path.Combine(_folder, "pictures")); break;
            case "picture": Picture.Load(path); break;
            case "tar": OrdinaryPictures.Load(path); break;
            case "manifest": RunFolder.Open(Path.Combine(_folder, "run")); break;
            default: throw new ArgumentException(opener);
        }
    }

    /// <summary>The built-in model, every file a link, as in the Hub's cache.</summary>
    private void Model()
    {
        foreach (string file in Directory.EnumerateFiles(Golden.EmojiModel, "*", SearchOption.AllDirectories))
        {
            string to = Path.Combine(_folder, Path.GetRelativePath(Golden.EmojiModel, file));
            Directory.CreateDirectory(Path.GetDirectoryName(to)!);
            File.CreateSymbolicLink(to, file);
        }
    }

    private void Write(string name)
    {
        string path = Path.Combine(_folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, "{}");
    }
}
