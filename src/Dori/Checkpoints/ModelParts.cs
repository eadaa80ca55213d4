using Dori.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Checkpoints;

/// <summary>
/// One network of a checkpoint at a time, from its own folder (<c>config.json</c> beside the weights). In evaluation mode, without
/// gradients; the caller disposes it.
/// </summary>
public static class ModelParts
{
    /// <param name="folder">Such as <c>unet</c> of a diffusers folder.</param>
    /// <param name="dtype">float32, bfloat16 or float16</param>
    /// <exception cref="DoriException">Whatever the folder lacks or has wrong, by name.</exception>
    public static UNet2DConditionModel UNet(string folder, Device? device = null, ScalarType dtype = ScalarType.Float32)
    {
        UNetConfig config = ConfigFiles.ReadUNet(ConfigOf(folder));
        using WeightSet weights = WeightSet.Open(folder, DiffusersFolder.ModelBaseName);
        return UNet(config, weights, device, dtype, new ModelNotes());
    }

    /// <inheritdoc cref="UNet(string, Device?, ScalarType)"/>
    /// <param name="folder">Such as <c>vae</c> of a diffusers folder.</param>
    public static AutoencoderKL Vae(string folder, Device? device = null)
    {
        VaeConfig config = ConfigFiles.ReadVae(ConfigOf(folder));
        using WeightSet weights = WeightSet.Open(folder, DiffusersFolder.ModelBaseName);
        return Vae(config, weights, device, new ModelNotes());
    }

    /// <inheritdoc cref="UNet(string, Device?, ScalarType)"/>
    /// <param name="folder">Such as <c>text_encoder</c> of a diffusers folder.</param>
    public static ClipTextModel TextEncoder(string folder, Device? device = null)
    {
        ClipTextConfig config = ConfigFiles.ReadClipText(ConfigOf(folder));
        using WeightSet weights = WeightSet.Open(folder, DiffusersFolder.TextBaseName);
        return TextEncoder(config, weights, device, new ModelNotes());
    }

    /// <inheritdoc cref="UNet(string, Device?, ScalarType)"/>
    /// <param name="folder">Holds <c>config.json</c> and <c>model.safetensors</c> (or its shards) of a whole CLIP.</param>
    internal static ClipModel Clip(string folder, Device? device = null)
    {
        (ClipTextConfig text, ClipVisionConfig vision) = ConfigFiles.ReadClip(ConfigOf(folder));
        using WeightSet weights = WeightSet.Open(folder, DiffusersFolder.TextBaseName);
        var model = new ClipModel(text, vision);
        ModuleLoader.Load(model, weights, "clip", ignorable: ClipModel.Ignorable);
        return Ready(model, device);
    }

    internal static UNet2DConditionModel UNet(UNetConfig config, WeightSet weights, Device? device, ScalarType dtype, ModelNotes notes)
    {
        var unet = new UNet2DConditionModel(config);
        if (dtype != ScalarType.Float32) unet.to(dtype);
        ModuleLoader.Load(unet, weights, "unet", ignorable: LeftoverWeights.PassOver(weights, "unet", notes));
        return Ready(unet, device);
    }

    internal static AutoencoderKL Vae(VaeConfig config, WeightSet weights, Device? device, ModelNotes notes)
    {
        var vae = new AutoencoderKL(config);
        ModuleLoader.Load(vae, weights, "vae", CheckpointKeys.Vae, LeftoverWeights.PassOver(weights, "vae", notes));
        return Ready(vae, device);
    }

    internal static ClipTextModel TextEncoder(ClipTextConfig config, WeightSet weights, Device? device, ModelNotes notes)
    {
        var text = new ClipTextModel(config);
        ModuleLoader.Load(text, weights, "text_encoder", CheckpointKeys.TextEncoder,
            LeftoverWeights.PassOver(weights, "text_encoder", notes, config.Projects));
        return Ready(text, device);
    }

    private static T Ready<T>(T network, Device? device) where T : nn.Module
    {
        if (device is not null && device.type != DeviceType.CPU) network.to(device);
        network.eval();
        // the network outlives the caller's scope
        foreach (TorchSharp.Modules.Parameter parameter in network.parameters()) parameter.DetachFromDisposeScope();
        return network;
    }

    private static string ConfigOf(string folder) => Path.Combine(folder, "config.json");
}
