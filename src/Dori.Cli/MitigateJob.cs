using Dori.Audit;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Mitigation;
using Dori.Native;
using Dori.Pictures;
using Spectre.Console.Cli;
using Spectre.Console;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Cli;

/// <summary>Any mitigation as a verb: its settings know which one.</summary>
internal sealed class MitigateCommand<T>(Shell shell) : Command<T> where T : MitigateSettings
{
    protected override int Execute(CommandContext context, T settings, CancellationToken cancellation) =>
        new MitigateJob(shell, settings).Run(settings.Mitigation());
}

/// <summary>From arguments to a new model: what all mitigations share.</summary>
internal sealed class MitigateJob(Shell shell, MitigateSettings settings)
{
    public int Run(IMitigation method)
    {
        bool float32 = method.Needs.HasFlag(MitigationNeeds.Float32);
        if (settings.SaveEvery < 1) throw new DoriException($"--save-every {settings.SaveEvery}: at least 1 is wanted");
        if (float32 && settings.DtypeName is not (Devices.Auto or "float32"))
            throw new DoriException($"--dtype {settings.DtypeName}: fine-tuning needs float32");
        if (settings is MitigateTrainingSettings && settings.Dtype == ScalarType.Float16)
            throw new DoriException("--dtype float16: the gradients of a training vanish in it; bfloat16 and float32 are possible");
        (Checkpoint checkpoint, PictureSet all) = settings.Open(shell, $"mitigate {method.Name}");
        PictureSet set = settings.ToForget(all);
        MitigateInputs inputs = settings.Inputs;
        OrdinaryPictures? ordinary = inputs.Ordinary is not { } path ? null
            : OrdinaryPictures.Load(path, inputs.OrdinaryLimit, settings.Reading);
        shell.Warn(ordinary?.Warnings ?? []);
        using TorchScriptCopyDetector? detector = !method.Needs.HasFlag(MitigationNeeds.CopyDetector) ? null
            : CopyDetectors.Load(settings.SideFolder(settings.Model), inputs.CopyDetector, inputs.Preset, settings.Device,
                "generations are told from the pictures by one");
        set_num_threads(settings.Threads);
        using var scope = NewDisposeScope();
        ScalarType dtype = float32 ? ScalarType.Float32 : settings.Dtype;
        using DiffusionModel model = DiffusionModel.Load(checkpoint, settings.Device, dtype);
        using DiffusionModel? generator = !method.Needs.HasFlag(MitigationNeeds.Generator) ? null
            : inputs.Generator is { } other ? DiffusionModel.Load(other, settings.Device, settings.Dtype) : model.WithUNetCopy(_ => false);
        string sha256 = checkpoint.Sha256();
        var progress = new MitigateProgress(shell, settings.Quiet || settings.Json);
        MitigationControl control = Control(model, progress, sha256) with
        {
            Identity = $"{method.Name} {sha256} {set.Sha256} {settings.Seed} {dtype} {inputs.Generator}",
        };
        MitigationOutcome outcome = method.Apply(model,
            new MitigationPictures(all, set) { Detector = detector, Generator = generator, Ordinary = ordinary }, control);
        MitigationRecord record = Record(shell, settings, method, checkpoint, sha256, settings.Images, set, settings.Seed, outcome) with
        {
            Dtype = (settings.Machine with { Dtype = dtype }).DtypeName,
        };
        record.Save(checkpoint, settings.Output, outcome);
        Finish(control);
        shell.Live.Close();
        if (settings.Json) shell.Output.WriteLine(record.ToJson());
        else if (!settings.Quiet)
            shell.Console.WriteLine($"{settings.Output}: {outcome.Summary} Silence by prompt is not absence: dori audit "
                + $"{settings.Output} --images {settings.Images} -o RUN");
        return DoriApp.Done;
    }

    private MitigationControl Control(DiffusionModel model, MitigateProgress progress, string sha256) => new()
    {
        Seed = settings.Seed,
        Workers = settings.Machine.WorkersFor(model),
        Cancellation = shell.Interrupted,
        OnProgress = progress.Report,
        Say = progress.Say,
        Warn = text => shell.Warn([text]),
        Clock = settings.Quiet ? null : shell.Elapsed,
        WorkFolder = settings.Work ?? Path.TrimEndingDirectorySeparator(Path.GetFullPath(settings.Output)) + ".work",
        ModelSha256 = sha256,
        SaveEvery = settings.SaveEvery,
    };

    /// <summary>The state has served; surrogates stay for the next training.</summary>
    private static void Finish(MitigationControl control)
    {
        if (!Directory.Exists(control.WorkFolder)) return;
        File.Delete(control.StateFile!);
        if (!Directory.EnumerateFileSystemEntries(control.WorkFolder).Any()) Directory.Delete(control.WorkFolder);
    }

    public static MitigationRecord Record(Shell shell, ModelSettings settings, IMitigation method, Checkpoint model, string sha256,
        string images, PictureSet set, long seed, MitigationOutcome outcome) => new()
    {
        Method = method.Name,
        Title = method.Title,
        Version = ProgramVersion.Text,
        Command = shell.CommandLine,
        Model = new RecordedSource(model.Name, sha256),
        Adapters = MergedAdapter.Of(model),
        Pictures = new RecordedPictures(new DirectoryInfo(images).Name, set.Sha256, [.. set.Items.Select(item => item.Id)]),
        Seed = seed,
        Device = settings.Machine.DeviceName,
        Dtype = settings.Machine.DtypeName,
        Threads = settings.Threads,
        Options = outcome.Options,
        Losses = outcome.Losses,
        Details = outcome.Details,
    };
}
