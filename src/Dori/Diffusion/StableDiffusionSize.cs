using Dori.Checkpoints;
using Dori.Checkpoints.SingleFile;
using Dori.Models;
using Dori.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Diffusion;

/// <summary>A model of Stable Diffusion 1.x's size of which nothing was learned: what it takes does not depend on its weights.</summary>
internal static class StableDiffusionSize
{
    private const string Kind = "sd1";

    /// <summary>Floating point operations of one forward pass of the UNet, for one latent of 64 x 64.</summary>
    public const double ForwardFlops = 0.803e12;

    public static SchedulerConfig Scheduler => Config("scheduler/scheduler_config.json", ConfigFiles.Scheduler);

    public static DiffusionModel Model(Device device, ScalarType dtype) => DiffusionModel.Of(BuiltInConfigs.Tokenizer(Kind),
        Filled(new ClipTextModel(Config("text_encoder/config.json", ConfigFiles.ClipText)), device), Vae(device), UNet(device, dtype),
        Scheduler, device, dtype);

    public static UNet2DConditionModel UNet(Device device, ScalarType dtype)
    {
        var unet = new UNet2DConditionModel(Config("unet/config.json", ConfigFiles.UNet));
        if (dtype != ScalarType.Float32) unet.to(dtype);
        return Filled(unet, device);
    }

    public static AutoencoderKL Vae(Device device) => Filled(new AutoencoderKL(Config("vae/config.json", ConfigFiles.Vae)), device);

    private static T Config<T>(string file, Func<ConfigJson, T> parse) =>
        ConfigJson.Parse($"{Kind}/{file} of the program", BuiltInConfigs.Read(Kind, file), parse);

    /// <summary>Weights of the variance that keeps results of the size of their inputs, no biases; norms are one already.</summary>
    private static T Filled<T>(T network, Device device) where T : nn.Module
    {
        const double golden = 2.399963; // radians: sines at its multiples are spread as evenly as can be
        using var scope = NewDisposeScope();
        using Tensor wave = TensorMath.Range(4093).Times(golden).sin(); // a prime: no two rows of a weight are the same
        using (no_grad())
            foreach ((string name, TorchSharp.Modules.Parameter parameter) in network.named_parameters())
            {
                using var inner = NewDisposeScope();
                long count = parameter.numel();
                if (name.EndsWith("bias", StringComparison.Ordinal)) parameter.copy_(zeros(parameter.shape));
                if (parameter.dim() == 1) continue;
                Tensor values = wave.Times(Math.Sqrt(2.0 * parameter.shape[0] / count)).to(parameter.dtype);
                parameter.copy_(values.repeat(count / wave.numel() + 1).narrow(0, 0, count).view(parameter.shape));
            }
        if (device.type != DeviceType.CPU) network.to(device);
        network.eval();
        foreach (TorchSharp.Modules.Parameter parameter in network.parameters()) parameter.DetachFromDisposeScope();
        return network;
    }
}
