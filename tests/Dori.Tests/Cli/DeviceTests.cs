using Dori.Checkpoints;
using Dori.Cli;
using Dori.Diffusion;
using Dori.Mitigation;
using Dori.Mitigation.Adversarial;
using Dori.Native;
using Dori.Tests.Support;
using Spectre.Console.Testing;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Cli;

/// <summary>Every verb on a device that refuses the CPU's tensors, as a GPU does: what is left behind on the CPU is an error.</summary>
[Collection("EmojiHooks")]
public sealed class DeviceTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-device-").FullName;

    [Fact]
    public void The_stand_in_refuses_tensors_of_the_CPU_and_agrees_with_it()
    {
        using var scope = NewDisposeScope();
        Tensor x = Golden.Hashed("x", 3, 4), y = x.to(StandIn.Device);
        Assert.ThrowsAny<Exception>(() => (y * x).cpu());
        Assert.ThrowsAny<Exception>(() => y.index_select(0, tensor(new[] { 1L })).cpu());
        Assert.Equal(x.mm(x.t()).data<float>().ToArray(), y.mm(y.t()).cpu().data<float>().ToArray());
    }

    [Theory]
    [InlineData("generate MODEL cat -n 1")]
    [InlineData("audit MODEL --images PICTURES --limit 1 -n 1 --starts prompt,random --curve none --despite-control")]
    [InlineData("evaluate MODEL --ordinary ORDINARY --captions 2 --related 0 --diversity-captions 1")]
    [InlineData("calibrate MODEL --controls PICTURES --limit 1 -n 1 --search-steps 1 --curve none --despite-control")]
    [InlineData("compare MODEL OTHER --images PICTURES --limit 1 -n 1 --starts prompt --curve none --despite-control")]
    [InlineData("mitigate esd MODEL --images PICTURES --limit 1 --iterations 1 --sampler-steps 1")]
    public void A_verb_leaves_no_tensor_on_the_CPU(string command) => Goes(command);

    /// <summary>
    /// All of a training's gradients and its optimiser's step become one graph there, which takes more than 6 GB: so a training's losses
    /// are computed, and the gradient of one weight.
    /// </summary>
    [Fact]
    public void Losses_of_unlearning_are_the_devices()
    {
        using var scope = NewDisposeScope();
        using var folder = new TinyModel();
        using DiffusionModel model = DiffusionModel.Load(folder.Folder, StandIn.Device);
        using DiffusionModel frozen = model.WithUNetCopy();
        Tensor[] latents = [Golden.Rand("a", 1, 4, 16, 16), Golden.Rand("x", 1, 4, 16, 16)]; // as they come from a file
        var weight = model.UNet.named_parameters().First(p => p.name == "conv_out.weight").parameter;
        weight.requires_grad = true;
        Conditioning y = model.Embed("a cat");
        var target = new SissTarget("a cat", latents[0], latents[1]);
        Siss.SissDraw draw = Siss.Draw(model, [target], [y], new SissOptions { Batch = 1, MicroBatch = 1 }, RandomSource.For("siss"));
        (Tensor kept, Tensor forgotten) = Siss.Losses(model, draw, 0.5);
        Tensor t = tensor(new[] { 500L }).to(StandIn.Device);
        Tensor ablation = ConceptAblation.Loss(model, frozen, draw.A, draw.M, t, y, model.Embed("a dog"), AblationLoss.Model);
        foreach (Tensor loss in new[] { kept, forgotten, ablation })
            Assert.True(autograd.grad([loss], [weight], retain_graph: true)[0].isfinite().all().item<bool>());
    }

    private void Goes(string command)
    {
        _ = StandIn.Device;
        using TinyModel model = new(), other = new("other ");
        string[] args = [.. command.Replace("MODEL", model.Folder, StringComparison.Ordinal)
            .Replace("OTHER", other.Folder, StringComparison.Ordinal)
            .Replace("PICTURES", model.Pictures, StringComparison.Ordinal)
            .Replace("ORDINARY", Path.Combine(Golden.EmojiModel, "ordinary.tar"), StringComparison.Ordinal).Split(' '),
            "-o", Path.Combine(_folder, "out"), "--device", StandIn.Name, "--threads", "1", "--quiet"];
        using var error = new StringWriter();
        int code = DoriApp.Run(args, new TestConsole(), TextWriter.Null, error);
        Assert.True(code == 0, error.ToString());
        Assert.True(Directory.Exists(Path.Combine(_folder, "out")));
    }

    [Fact]
    public void What_a_search_left_in_a_file_is_marked_for()
    {
        using var scope = NewDisposeScope();
        using var folder = new TinyModel();
        using DiffusionModel model = DiffusionModel.Load(folder.Folder, StandIn.Device);
        WandaOptions options = WandaOptions.For(model) with { Steps = 1, Latents = 1 };
        using var marking = new WandaMarking(model, options);
        Assert.True(marking.Mark([new Conditioning(Golden.Rand("y", 1, 32, 16))]).Mask.Count > 0);
    }

    [Fact]
    public void What_an_interrupted_training_had_found_comes_back_to_the_models_device()
    {
        string file = Path.Combine(_folder, "state.safetensors");
        using (var before = new AdversarialState(CPU))
        {
            before.Replace([new FoundEmbeddings(0, 0, 0, new Conditioning(Golden.Rand("y", 2, 32, 16).DetachFromDisposeScope()), 1, 1)]);
            SafetensorsWriter.Write(file, [.. before.Tensors()]);
        }
        using SafetensorsFile stored = SafetensorsFile.Open(file);
        using var after = new AdversarialState(StandIn.Device);
        after.Restore(stored);
        Assert.Equal(StandIn.Device.type, Assert.Single(after.Found).Y.Tokens.device.type);
    }

    [Theory]
    [InlineData("cuda")]
    [InlineData("cuda:1")]
    public void A_device_that_is_not_there_is_said_with_the_way_out(string name) =>
        Assert.Contains("no CUDA device", Assert.Throws<DoriException>(() => Devices.Named(name)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("tpu")]
    [InlineData("cuda:")]
    [InlineData("cuda:-1")]
    [InlineData("cuda:0:1")]
    public void An_unknown_device_is_refused_with_those_that_are_possible(string name) =>
        Assert.Contains("cuda:N", Assert.Throws<DoriException>(() => Devices.Named(name)).Message, StringComparison.Ordinal);

    [Fact]
    public void Without_a_GPU_auto_is_the_CPU() => Assert.Equal(DeviceType.CPU, Devices.Named(Devices.Auto).type);

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
