using System.Text.Json.Nodes;
using System.Text;
using Dori.Checkpoints;
using Dori.Models;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Control;

/// <summary>
/// The built-in model broken in one named way, as a folder: the parts that are whole are links to the original's. Everything is a
/// function of the name alone.
/// </summary>
internal static class BrokenModel
{
    private const string UNet = "unet/diffusion_pytorch_model.safetensors", Vae = "vae/diffusion_pytorch_model.safetensors",
        Text = "text_encoder/model.safetensors", Scheduler = "scheduler/scheduler_config.json", UNetConfig = "unet/config.json";

    private delegate Tensor? Change(string name, Tensor weight);

    private static readonly Dictionary<string, Action<string>> s_kinds = new()
    {
        // the issue's
        ["unet zero"] = Weights(UNet, (_, w) => zeros_like(w)),
        ["float16 declared bfloat16"] = folder => ReplaceText(folder, UNet, "\"F16\"", "\"BF16\""),
        ["last tenth of the unet zero"] = folder => Bytes(folder, UNet, bytes => bytes.AsSpan(bytes.Length * 9 / 10).Clear()),
        ["vae decoder zero"] = Zero(Vae, "decoder."),
        ["v_prediction on an epsilon model"] = Config(Scheduler, c => c["prediction_type"] = "v_prediction"),
        ["tensors of one shape shuffled"] = Shuffle(UNet),
        ["half of the tensors zero"] = Weights(UNet, (name, w) => Golden.Fnv1a(name) % 2 == 0 ? zeros_like(w) : null),
        ["text encoder zero"] = Weights(Text, (_, w) => zeros_like(w)),
        ["cross-attention zero"] = Zero(UNet, "attn2"),
        ["weights of 65504"] = Weights(UNet, (_, w) => full_like(w, 65504)),
        ["flip_sin_to_cos turned"] = Config(UNetConfig, c => c["flip_sin_to_cos"] = false),
        ["another number of heads"] = Config(UNetConfig, c => c["attention_head_dim"] = 16),
        ["sample_size 4"] = Config(UNetConfig, c => c["sample_size"] = 4),
        ["scaling_factor 1"] = Config("vae/config.json", c => c["scaling_factor"] = 1.0),
        // further ones
        ["scaling_factor left out"] = Config("vae/config.json", c => c.Remove("scaling_factor")),
        ["vae encoder zero"] = Weights(Vae, (name, w) => name.StartsWith("encoder.") ? zeros_like(w) : null),
        ["vae tensors shuffled"] = Shuffle(Vae),
        ["vae groups 8"] = Config("vae/config.json", c => c["norm_num_groups"] = 8),
        ["unet groups 16"] = Config(UNetConfig, c => c["norm_num_groups"] = 16),
        ["unet groups 8"] = Config(UNetConfig, c => c["norm_num_groups"] = 8),
        ["unet groups 64"] = Config(UNetConfig, c => c["norm_num_groups"] = 64),
        ["norm_eps 1"] = Config(UNetConfig, c => c["norm_eps"] = 1.0),
        ["last layer negated"] = Weights(UNet, (name, w) => name.Contains("conv_out") ? -w : null),
        ["last layer doubled"] = Weights(UNet, (name, w) => name.Contains("conv_out") ? w * 2 : null),
        ["text encoder shuffled"] = Shuffle(Text),
        ["text positions zero"] = Zero(Text, "position_embedding"),
        ["text tokens zero"] = Zero(Text, "token_embedding"),
        ["text tokens rolled"] = Weights(Text, (name, w) => name.Contains("token_embedding") ? w.roll(1, 0) : null),
        ["text heads 16"] = Config("text_encoder/config.json", c => c["num_attention_heads"] = 16),
        ["text gelu"] = Config("text_encoder/config.json", c => c["hidden_act"] = "gelu"),
        ["text last layer zero"] = Zero(Text, "layers.3."),
        ["text noise 100 %"] = Noise(Text, 1),
        ["linear betas"] = Config(Scheduler, c => c["beta_schedule"] = "linear"),
        ["diffusers' default betas"] = Config(Scheduler, c =>
        {
            foreach (string key in new[] { "beta_start", "beta_end", "beta_schedule" }) c.Remove(key);
        }),
        ["beta_end 0.02"] = Config(Scheduler, c => c["beta_end"] = 0.02),
        ["zero terminal signal"] = Config(Scheduler, c =>
        {
            c["rescale_betas_zero_snr"] = true;
            c["timestep_spacing"] = "trailing";
        }),
        ["500 time steps"] = Config(Scheduler, c => c["num_train_timesteps"] = 500),
        ["middle block zero"] = Zero(UNet, "mid_block"),
        ["middle block random"] = Weights(UNet, (name, w) => name.Contains("mid_block") ? Scrambled(name, w) : null),
        ["first up block zero"] = Zero(UNet, "up_blocks.0"),
        ["last up block zero"] = Zero(UNet, "up_blocks.2"),
        ["first down block zero"] = Zero(UNet, "down_blocks.0"),
        ["time embedding zero"] = Zero(UNet, "time_embedding"),
        ["self-attention zero"] = Zero(UNet, "attn1"),
        ["feed-forward zero"] = Zero(UNet, ".ff."),
        ["noise of 100 %"] = Noise(UNet, 1),
        ["noise of 30 %"] = Noise(UNet, 0.3),
        ["noise of 10 %"] = Noise(UNet, 0.1),
        ["two bits"] = Rounded(UNet, 2),
        ["three bits"] = Rounded(UNet, 3),
        ["four bits"] = Rounded(UNet, 4),
        ["transposed weights"] = Weights(UNet, (_, w) => w.dim() == 2 && w.shape[0] == w.shape[1] ? w.t().contiguous() : null),
        ["biases zero"] = Zero(UNet, "bias"),
        ["norms one"] = Weights(UNet, (name, w) => name.Contains("norm") && name.EndsWith("weight") ? ones_like(w) : null),
        ["untrained unet"] = Weights(UNet, (name, w) => w.dim() == 1 ? null : Scrambled(name, w)),
        ["unet times 1.5"] = Weights(UNet, (_, w) => w * 1.5f),
        ["vae decoder noise 30 %"] =
            Weights(Vae, (name, w) => name.StartsWith("decoder") && w.dim() > 1 ? w + 0.3f * Scrambled(name, w) : null),
        ["last tenth of the vae zero"] = folder => Bytes(folder, Vae, bytes => bytes.AsSpan(bytes.Length * 9 / 10).Clear()),
        ["vae middle zero"] = Zero(Vae, "decoder.mid_block"),
        ["post-quantisation zero"] = Zero(Vae, "post_quant"),
        ["latent channels turned"] = Weights(UNet, (name, w) => name.Contains("conv_in.weight") ? w.roll(1, 1) : null),
        ["sample_size 8"] = Config(UNetConfig, c => c["sample_size"] = 8),
        ["sample_size 32"] = Config(UNetConfig, c => c["sample_size"] = 32),
        // weaker ones, and of further parts
        ["one up block's attention zero"] = Zero(UNet, "up_blocks.1.attentions"),
        ["last convolution zero"] = Zero(UNet, "conv_out"),
        ["first convolution zero"] = Zero(UNet, "conv_in"),
        ["up block's attention tiny"] = Times(UNet, "up_blocks.1.attentions", 1e-3f),
        ["cross-attention tiny"] = Times(UNet, "attn2", 1e-3f),
        ["self-attention tiny"] = Times(UNet, "attn1", 1e-3f),
        ["feed-forward tiny"] = Times(UNet, ".ff.", 1e-3f),
        ["middle block tiny"] = Times(UNet, "mid_block", 1e-3f),
        ["first up block tiny"] = Times(UNet, "up_blocks.0", 1e-3f),
        ["last up block tiny"] = Times(UNet, "up_blocks.2", 1e-3f),
        ["last down block tiny"] = Times(UNet, "down_blocks.2", 1e-3f),
        ["time embedding tiny"] = Times(UNet, "time_embedding", 1e-3f),
        ["vae middle tiny"] = Times(Vae, "decoder.mid_block", 1e-3f),
        ["vae encoder middle tiny"] = Times(Vae, "encoder.mid_block", 1e-3f),
        ["text last layer tiny"] = Times(Text, "layers.3.", 1e-3f),
        ["text positions tiny"] = Times(Text, "position_embedding", 1e-3f),
        ["text positions random"] = Weights(Text, (name, w) => name.Contains("position_embedding") ? Scrambled(name, w) : null),
        ["text attention tiny"] = Times(Text, "self_attn", 1e-3f),
        ["text mlp tiny"] = Times(Text, "mlp", 1e-3f),
        ["text norms zero"] = Zero(Text, "layer_norm"),
        ["text final norm zero"] = Zero(Text, "final_layer_norm"),
        ["unet norms zero"] = Weights(UNet, (name, w) => name.Contains("norm") && name.EndsWith("weight") ? zeros_like(w) : null),
        ["transformer norms zero"] =
            Weights(UNet, (name, w) => name.Contains("transformer_blocks") && name.Contains("norm") ? zeros_like(w) : null),
        ["half reinitialised"] =
            Weights(UNet, (name, w) => w.dim() > 1 && Golden.Fnv1a(name) % 2 == 0 ? Scrambled(name, w) : null),
        ["a tenth reinitialised"] =
            Weights(UNet, (name, w) => w.dim() > 1 && Golden.Fnv1a(name) % 10 == 0 ? Scrambled(name, w) : null),
        ["up blocks random"] = Weights(UNet, (name, w) => w.dim() > 1 && name.StartsWith("up_blocks.0") ? Scrambled(name, w) : null),
        ["last down block random"] =
            Weights(UNet, (name, w) => w.dim() > 1 && name.StartsWith("down_blocks.2") ? Scrambled(name, w) : null),
        ["cross-attention random"] = Weights(UNet, (name, w) => w.dim() > 1 && name.Contains("attn2") ? Scrambled(name, w) : null),
        ["cross-attention keys random"] = Weights(UNet, (name, w) => name.Contains("attn2.to_k") ? Scrambled(name, w) : null),
        ["keys and values exchanged"] = Exchange(UNet, "attn2.to_k", "attn2.to_v"),
        ["queries and keys exchanged"] = Exchange(UNet, "attn1.to_q", "attn1.to_k"),
        ["resnets exchanged"] = Exchange(UNet, "conv1", "conv2"),
        ["overflow in one layer"] = Weights(UNet, (name, w) => name == "mid_block.resnets.0.conv1.weight" ? w * 1e5f : null),
        ["float8 e5m2"] = Eight(UNet, 2),
        ["float8 e4m3"] = Eight(UNet, 3),
        ["one bit of mantissa"] = Eight(UNet, 1),
        ["signs alone"] = Weights(UNet, (_, w) => w.dim() > 1 ? w.sign() * w.abs().mean() : null),
        ["last hundredth of the unet zero"] = Hole(UNet, 0.99, 1),
        ["last fiftieth of the unet zero"] = Hole(UNet, 0.98, 1),
        ["last twentieth of the unet zero"] = Hole(UNet, 0.95, 1),
        ["a hole of 2 % in the unet"] = Hole(UNet, 0.4, 0.42),
        ["a hole of 1 % in the unet"] = Hole(UNet, 0.6, 0.61),
        ["a hole of 5 % in the unet"] = Hole(UNet, 0.7, 0.75),
        ["a hole of 5 % in the text encoder"] = Hole(Text, 0.5, 0.55),
        ["last tenth of the text encoder zero"] = Hole(Text, 0.9, 1),
        ["a hole of 5 % in the vae"] = Hole(Vae, 0.3, 0.35),
        ["kernels transposed"] = Weights(UNet, (_, w) => w.dim() == 4 ? w.transpose(2, 3) : null),
        ["kernels upside down"] = Weights(UNet, (_, w) => w.dim() == 4 ? w.flip(2) : null),
        ["kernels turned by 180 degrees"] = Weights(UNet, (_, w) => w.dim() == 4 ? w.flip(2, 3) : null),
        ["decoder kernels transposed"] = Weights(Vae, (name, w) => w.dim() == 4 && name.StartsWith("decoder") ? w.transpose(2, 3) : null),
        ["decoder upside down"] = Weights(Vae, (name, w) => w.dim() == 4 && name.StartsWith("decoder") ? w.flip(2) : null),
        ["vae upside down"] = Weights(Vae, (_, w) => w.dim() == 4 ? w.flip(2) : null),
        ["encoder noise 30 %"] =
            Weights(Vae, (name, w) => name.StartsWith("encoder") && w.dim() > 1 ? w + 0.3f * Scrambled(name, w) : null),
        ["quantisation zero"] = Zero(Vae, "quant_conv"),
        ["quantisation halved"] = Weights(Vae, (name, w) => name.StartsWith("quant_conv") ? w * 0.5f : null),
        ["post-quantisation halved"] = Weights(Vae, (name, w) => name.StartsWith("post_quant") ? w * 0.5f : null),
        ["post-quantisation doubled"] = Weights(Vae, (name, w) => name.StartsWith("post_quant") ? w * 2f : null),
        ["post-quantisation turned"] = Weights(Vae, (name, w) => name.StartsWith("post_quant_conv.w") ? w.roll(1, 1) : null),
        ["vae colours turned"] = Weights(Vae, (name, w) => name.StartsWith("decoder.conv_out") ? w.roll(1, 0) : null),
        ["text encoder of another model"] = OtherText,
        ["vocabulary shuffled"] = Vocabulary((ids, i) => ids[(i * 7 + 3) % ids.Length]),
        ["vocabulary off by one"] = Vocabulary((ids, i) => ids[(i + 1) % ids.Length]),
        ["merges missing"] = Tokenizer(folder => File.WriteAllText(Path.Combine(folder, "merges.txt"), "#version: 0.2\n")),
        ["half of the merges"] = Tokenizer(folder => File.WriteAllLines(Path.Combine(folder, "merges.txt"),
            File.ReadLines(Path.Combine(folder, "merges.txt")).Take(300).ToArray())),
        ["start and end exchanged"] = Tokenizer(folder =>
        {
            foreach (string name in new[] { "tokenizer_config.json", "special_tokens_map.json" })
            {
                string path = Path.Combine(folder, name);
                File.WriteAllText(path, File.ReadAllText(path).Replace("bos_token", "x").Replace("eos_token", "bos_token")
                    .Replace("\"x\"", "\"eos_token\""));
            }
        }),
        ["8 tokens"] = Tokenizer(folder =>
        {
            string path = Path.Combine(folder, "tokenizer_config.json");
            File.WriteAllText(path, File.ReadAllText(path).Replace("\"model_max_length\": 32", "\"model_max_length\": 8"));
        }),
        ["beta_end 0.006"] = Config(Scheduler, c => c["beta_end"] = 0.006),
        ["beta_start 0.0085"] = Config(Scheduler, c => c["beta_start"] = 0.0085),
        ["2000 time steps"] = Config(Scheduler, c => c["num_train_timesteps"] = 2000),
        ["900 time steps"] = Config(Scheduler, c => c["num_train_timesteps"] = 900),
        ["freq_shift 1"] = Config(UNetConfig, c => c["freq_shift"] = 1),
        ["1 head"] = Config(UNetConfig, c => c["attention_head_dim"] = 1),
        ["2 heads"] = Config(UNetConfig, c => c["attention_head_dim"] = 2),
        ["8 heads"] = Config(UNetConfig, c => c["attention_head_dim"] = 8),
        ["scaling_factor 0.9"] = Config("vae/config.json", c => c["scaling_factor"] = 0.9),
        ["scaling_factor 0.6"] = Config("vae/config.json", c => c["scaling_factor"] = 0.6),
        ["scaling_factor 0.5"] = Config("vae/config.json", c => c["scaling_factor"] = 0.5),
        ["unet times 1.2"] = Weights(UNet, (_, w) => w * 1.2f),
        ["unet times 0.8"] = Weights(UNet, (_, w) => w * 0.8f),
        ["last layer times 1.2"] = Weights(UNet, (name, w) => name.Contains("conv_out") ? w * 1.2f : null),
        ["last layer times 0.8"] = Weights(UNet, (name, w) => name.Contains("conv_out") ? w * 0.8f : null),
        ["noise of 20 %"] = Noise(UNet, 0.2),
        ["text heads 1"] = Config("text_encoder/config.json", c => c["num_attention_heads"] = 1),
        ["text heads 2"] = Config("text_encoder/config.json", c => c["num_attention_heads"] = 2),
        ["text transposed"] = Weights(Text, (_, w) => w.dim() == 2 && w.shape[0] == w.shape[1] ? w.t() : null),
        ["text noise 200 %"] = Noise(Text, 2),
        ["text untrained"] = Weights(Text, (name, w) => w.dim() > 1 ? Scrambled(name, w) : null),
    };

    public static IEnumerable<string> Names => s_kinds.Keys;

    /// <summary>
    /// So slight that the model still gives its pictures back (docs/method.md, section 11), or without any effect: they may pass.
    /// </summary>
    private static readonly string[] s_slight =
    [
        "vae groups 8", "text heads 16", "text gelu", "text noise 100 %", "noise of 10 %", "vae decoder noise 30 %", "norms one",
        "text positions random", "cross-attention keys random", "overflow in one layer",
        "decoder kernels transposed", "decoder upside down", "vae upside down", "encoder noise 30 %", "post-quantisation doubled",
        "text encoder of another model", "start and end exchanged", "8 tokens", "900 time steps", "freq_shift 1", "scaling_factor 0.9",
        "scaling_factor 0.6", "text heads 1", "text heads 2",
    ];

    /// <summary>Those that must not be judged and that every run of the tests tries; the further ones are slow.</summary>
    public static IEnumerable<string> Broken => Names.Take(14).Concat(s_further);

    public static IEnumerable<string> BrokenToo => Names.Except(Broken).Except(s_slight);

    private static readonly string[] s_further =
    [
        "vae encoder zero", "vae tensors shuffled", "unet groups 16", "last layer negated", "text encoder shuffled", "text positions zero",
        "text tokens rolled", "linear betas", "first down block zero", "noise of 100 %", "two bits", "transposed weights",
        "cross-attention tiny", "up blocks random", "first up block tiny", "a hole of 1 % in the unet",
        "kernels transposed",
    ];

    /// <summary>Makes the folder.</summary>
    public static string Make(string parent, string kind)
    {
        string folder = Path.Combine(parent, string.Concat(kind.Where(char.IsLetterOrDigit)));
        Directory.CreateDirectory(folder);
        foreach (string file in Directory.GetFiles(Golden.EmojiModel)) File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        foreach (string part in new[] { "unet", "vae", "text_encoder", "scheduler" })
        {
            Directory.CreateDirectory(Path.Combine(folder, part));
            foreach (string file in Directory.GetFiles(Path.Combine(Golden.EmojiModel, part)))
                File.CreateSymbolicLink(Path.Combine(folder, part, Path.GetFileName(file)), file);
        }
        foreach (string part in new[] { "tokenizer", "copy_detector" })
            Directory.CreateSymbolicLink(Path.Combine(folder, part), Path.Combine(Golden.EmojiModel, part));
        s_kinds[kind](folder);
        return folder;
    }

    /// <summary>Tensors with a part of their name.</summary>
    private static Action<string> Zero(string file, string part) => Weights(file, (name, w) => name.Contains(part) ? zeros_like(w) : null);

    private static Action<string> Weights(string file, Change change) => folder =>
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var changed = new List<(string, Tensor)>();
        using (SafetensorsFile original = SafetensorsFile.Open(Path.Combine(folder, file)))
            foreach (string name in original.Tensors.Keys)
            {
                Tensor weight = original.Read(name);
                changed.Add((name, (change(name, weight.to(float32)) ?? weight).to(weight.dtype).contiguous()));
            }
        Unlink(folder, file);
        SafetensorsWriter.Write(Path.Combine(folder, file), changed);
    };

    /// <summary>Every tensor takes the values of the next one of its shape.</summary>
    private static Action<string> Shuffle(string file) => folder =>
    {
        using var scope = NewDisposeScope();
        using SafetensorsFile original = SafetensorsFile.Open(Path.Combine(folder, file));
        var next = original.Tensors.Values.GroupBy(t => string.Join('x', t.Shape)).SelectMany(group =>
        {
            string[] names = [.. group.Select(t => t.Name).Order(StringComparer.Ordinal)];
            return names.Select((name, i) => (name, other: names[(i + 1) % names.Length]));
        }).ToDictionary(pair => pair.name, pair => pair.other);
        (string, Tensor)[] changed = [.. next.Select(pair => (pair.Key, original.Read(pair.Value)))];
        Unlink(folder, file);
        SafetensorsWriter.Write(Path.Combine(folder, file), changed);
    };

    private static Action<string> Noise(string file, double share) =>
        Weights(file, (name, w) => w.dim() > 1 ? w + Scrambled(name, w) * (float)share : null);

    private static Action<string> Rounded(string file, int bits) => Weights(file, (_, w) =>
    {
        if (w.dim() < 2) return null;
        float step = w.abs().max().item<float>() / (1 << (bits - 1));
        return (w / step).round() * step;
    });

    /// <summary>Noise of the weight's own deviation.</summary>
    private static Tensor Scrambled(string name, Tensor w) => Golden.Rand(name, w.shape) * w.std();

    private static Action<string> Config(string file, Action<JsonObject> change) => folder =>
    {
        JsonObject json = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, file)))!.AsObject();
        change(json);
        Unlink(folder, file);
        File.WriteAllText(Path.Combine(folder, file), json.ToJsonString());
    };

    private static Action<string> Times(string file, string part, float factor) =>
        Weights(file, (name, w) => name.Contains(part) ? w * factor : null);

    /// <summary>Tensors with one part of a name take the values of those with the other, where the shapes are the same.</summary>
    private static Action<string> Exchange(string file, string one, string other) => folder =>
    {
        using var scope = NewDisposeScope();
        using SafetensorsFile original = SafetensorsFile.Open(Path.Combine(folder, file));
        (string, Tensor)[] changed = [.. original.Tensors.Keys.Select(name =>
        {
            string from = name.Contains(one) ? name.Replace(one, other) : name.Replace(other, one);
            bool same = original.Tensors.TryGetValue(from, out TensorInfo? info) && info.Shape.SequenceEqual(original.Tensors[name].Shape);
            return (name, original.Read(same ? from : name));
        })];
        Unlink(folder, file);
        SafetensorsWriter.Write(Path.Combine(folder, file), changed);
    };

    /// <summary>Cut to a few bits of mantissa, not rounded.</summary>
    private static Action<string> Eight(string file, int bits) => Weights(file, (_, w) =>
    {
        Tensor size = w.abs().clamp(1e-30).log2().floor(), step = (size - bits).exp2();
        return (w / step).trunc() * step;
    });

    private static Action<string> Hole(string file, double from, double to) => folder =>
        Bytes(folder, file, bytes => bytes.AsSpan((int)(bytes.Length * from)..(int)(bytes.Length * to)).Clear());

    /// <summary>The text tower of the model's own CLIP, of the same shapes.</summary>
    private static void OtherText(string folder)
    {
        using var scope = NewDisposeScope();
        using SafetensorsFile mine = SafetensorsFile.Open(Path.Combine(folder, Text)),
            other = SafetensorsFile.Open(Path.Combine(Golden.EmojiModel, "clip", "model.safetensors"));
        (string, Tensor)[] changed = [.. mine.Tensors.Keys.Select(name => (name,
            other.Read(other.Tensors.ContainsKey(name) ? name : "text_model." + name)))];
        Unlink(folder, Text);
        SafetensorsWriter.Write(Path.Combine(folder, Text), changed);
    }

    /// <summary>In a folder of its own, of files of its own.</summary>
    private static Action<string> Tokenizer(Action<string> change) => folder =>
    {
        string path = Path.Combine(folder, "tokenizer");
        File.Delete(path);
        Directory.CreateDirectory(path);
        foreach (string file in Directory.GetFiles(Path.Combine(Golden.EmojiModel, "tokenizer")))
            File.Copy(file, Path.Combine(path, Path.GetFileName(file)));
        change(path);
    };

    private static Action<string> Vocabulary(Func<int[], int, int> id) => Tokenizer(folder =>
    {
        string path = Path.Combine(folder, "vocab.json");
        (string Token, int Id)[] all = [.. JsonNode.Parse(File.ReadAllText(path))!.AsObject()
            .Select(pair => (pair.Key, pair.Value!.GetValue<int>()))];
        int[] ids = [.. all.Where(entry => !entry.Token.StartsWith("<|")).Select(entry => entry.Id)];
        var changed = new JsonObject();
        int next = 0;
        foreach ((string token, int old) in all) changed[token] = token.StartsWith("<|") ? old : id(ids, next++);
        File.WriteAllText(path, changed.ToJsonString());
    });

    private static void Bytes(string folder, string file, Action<byte[]> change)
    {
        byte[] bytes = File.ReadAllBytes(Path.Combine(folder, file));
        change(bytes);
        Unlink(folder, file);
        File.WriteAllBytes(Path.Combine(folder, file), bytes);
    }

    private static void ReplaceText(string folder, string file, string from, string to)
    {
        byte[] bytes = File.ReadAllBytes(Path.Combine(folder, file));
        int length = 8 + (int)BitConverter.ToUInt64(bytes);
        byte[] header = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(bytes, 8, length - 8).Replace(from, to));
        Unlink(folder, file);
        File.WriteAllBytes(Path.Combine(folder, file), [.. BitConverter.GetBytes((ulong)header.Length), .. header, .. bytes[length..]]);
    }

    private static void Unlink(string folder, string file) => File.Delete(Path.Combine(folder, file));
}
