using Dori.Audit;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Native;
using Dori.Pictures;
using Dori.Reporting;
using Dori.Tests.Inputs;
using Dori.Tests.Support;
using static TorchSharp.torch;

namespace Dori.Tests.Audit;

/// <summary>A reference the whole way, with real models: searched once, and taken over where another run wants the same.</summary>
public sealed class ReferenceRunTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-reference-run-").FullName;
    private readonly CopiedModel _other = new();
    private readonly List<string> _said = [];

    public ReferenceRunTests() => Disturb(_other, 1.001);

    /// <summary>Another model for every factor, as good as the built-in one.</summary>
    private static void Disturb(CopiedModel model, double factor)
    {
        const string file = "unet/diffusion_pytorch_model.safetensors";
        using var scope = NewDisposeScope();
        using SafetensorsFile weights = SafetensorsFile.Open(Path.Combine(Golden.EmojiModel, file));
        model.Delete(file);
        SafetensorsWriter.Write(model.PathOf(file), [.. weights.Tensors.Keys.Select(name => (name,
            name == "conv_out.weight" ? weights.Read(name).to(float32).Times(factor).to(float16) : weights.Read(name)))]);
    }

    private RunFolder Run(string model, string? reference, string name)
    {
        PictureSet pictures = PictureSet.Load(Emoji.Pictures).Where(item => item.Id is "v00" or "c00");
        return new Dori.Audit.Audit(Checkpoint.Open(model), pictures)
        {
            Options = own => own with
            {
                Starts = [AuditStart.Prompt, AuditStart.Caption], Steps = 2, CurveSteps = [], Generations = 1, CurveGenerations = 1,
                SamplerSteps = 4,
            },
            Reference = reference is null ? null : Checkpoint.Open(reference),
            CopyDetector = Path.Combine(Golden.EmojiModel, "copy_detector"),
            Machine = new Machine { Threads = 1 },
            Watch = new RunWatch { Say = _said.Add },
        }.Run(Path.Combine(_folder, name));
    }

    [Fact]
    public void It_is_searched_once_with_the_same_noise_and_taken_over_by_later_runs()
    {
        RunFolder run = Run(Golden.EmojiModel, _other.Folder, "first");
        BesideUnits units = run.Read(Beside.Reference)!;
        Assert.Equal(4, units.Records.Count);
        Assert.True(units.Control is { Holds: true });
        UnitRecord[] own = [.. run.ReadUnits().Records];
        // Nearly the same weights and the same noise and starts: nearly the same pictures, and not the same bytes.
        foreach ((UnitRecord mine, UnitRecord theirs) in own.Zip(units.Records))
        {
            Assert.NotEqual(mine.Key, theirs.Key);
            Assert.Equal(mine.Snapshots[^1].Best, theirs.Snapshots[^1].Best, 0.05);
            Assert.NotEqual(mine.Snapshots[^1].Best, theirs.Snapshots[^1].Best);
        }
        Summary summary = Report.Write(run);
        Assert.All(summary.Reference!.Pictures, p => Assert.True(Math.Abs(p.GainBits!.Value) < 500, $"{p}"));
        Assert.Equal(0, summary.Reference.MissingUnits);

        _said.Clear();
        using var third = new CopiedModel();
        Disturb(third, 1.002);
        RunFolder later = Run(third.Folder, _other.Folder, "second");
        Assert.Contains(_said, line => line.StartsWith("4 units of the reference are taken over from", StringComparison.Ordinal));
        Assert.DoesNotContain(_said, line => line.StartsWith("reference: positive control", StringComparison.Ordinal)); // not even loaded
        Assert.Equal(units.Records.Select(record => record.Digest), later.Read(Beside.Reference)!.Records.Select(record => record.Digest));
        Assert.NotNull(later.Summarize().Reference!.Pictures[0].GainBits);

        Assert.Throws<DoriException>(() => Run(Golden.EmojiModel, Golden.EmojiModel, "fourth"));
        Assert.False(Directory.Exists(Path.Combine(_folder, "fourth")));
    }

    public void Dispose()
    {
        _other.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
